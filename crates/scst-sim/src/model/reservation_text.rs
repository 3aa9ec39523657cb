//! How reservations are written down: the text of `pr_state` and the file that survives a loss of power (`scst_pres.c`).

use super::Errno;
use super::reservations::{Registrant, Reservations};
use super::words::is_space;

/// What `pr_state` shows at most.
const PAGE: usize = 4095;
/// Longest name of a port that `pr_state` takes, in bytes.
const LONGEST_ID: u32 = 512;
/// Beginning of the file.
const SIGNATURE: u64 = 0xBBEE_EEAA_EEBB_DD77;
const VERSION: u64 = 1;

/// How long the name of a port is that begins like this.
fn id_size(id: &[u8]) -> usize {
    const ISCSI: u8 = 5;
    match id {
        [first, _, high, low, ..] if first & 0xf == ISCSI => usize::from(u16::from_be_bytes([*high, *low])) + 4,
        _ => 24,
    }
}

/// Reads words and numbers as the kernel's `sscanf` does.
struct Scan<'a>(&'a [u8]);

impl Scan<'_> {
    fn blanks(&mut self) {
        let end = self.0.iter().position(|b| !is_space(*b)).unwrap_or(self.0.len());
        self.0 = &self.0[end..];
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.0 = self.0.strip_prefix(word.as_bytes())?;
        Some(())
    }

    fn number(&mut self, radix: u32, width: usize) -> Option<u64> {
        self.blanks();
        let digits = self.0.iter().take(width).take_while(|b| char::from(**b).is_digit(radix)).count();
        let (digits, rest) = self.0.split_at_checked(digits).filter(|(digits, _)| !digits.is_empty())?;
        self.0 = rest;
        let digit = |b: &u8| u64::from(char::from(*b).to_digit(radix).unwrap_or_default());
        Some(digits.iter().fold(0_u64, |sum, b| sum.wrapping_mul(radix.into()).wrapping_add(digit(b))))
    }

    fn decimal(&mut self) -> Option<u32> {
        self.number(10, usize::MAX).map(super::numbers::low32)
    }

    fn byte(&mut self) -> Option<u8> {
        self.number(16, usize::MAX).map(|number| number.to_le_bytes()[0])
    }
}

impl Reservations {
    /// The text of `pr_state`.
    pub(super) fn text(&self) -> Vec<u8> {
        let mut lines = vec!["version 1".to_owned(), format!("generation {}", self.generation)];
        if self.reserved {
            lines.push(format!("reservation {:02x} {:02x}", self.kind, self.scope));
        }
        for (index, registrant) in self.registrants.iter().enumerate() {
            let Registrant { transport_id, rel_tgt_id, key, .. } = registrant;
            let id = transport_id.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
            let holder = u8::from(self.is_holder(index));
            lines.push(format!("registrant {rel_tgt_id} {key:016x} {holder} {} {id}", transport_id.len()));
        }
        let mut text = lines.join("\n") + "\n";
        text.truncate(PAGE);
        text.into_bytes()
    }

    /// A write to `pr_state`, which takes the place of everything. Lines it does not know are passed over.
    pub(super) fn restore(&mut self, text: &[u8]) -> Result<(), Errno> {
        let mut lines = text.split(|b| *b == b'\n');
        let mut first = Scan(lines.next().unwrap_or_default());
        if first.word("version").and_then(|()| first.decimal()) != Some(1) {
            return Err(Errno::EINVAL);
        }
        self.remove_all();
        (self.reserved, self.holder) = (false, None);
        let (mut generation, mut reservation, mut holder) = (0, None, None);
        for line in lines {
            let scanning = |word| {
                let mut scan = Scan(line);
                scan.word(word).map(|()| scan)
            };
            if let Some(number) = scanning("generation").and_then(|mut s| s.decimal()) {
                generation = number;
            } else if let Some(both) = scanning("reservation").and_then(|mut s| Some((s.byte()?, s.byte()?))) {
                reservation = Some(both);
            } else if let Some((registrant, holds)) = scanning("registrant").map_or(Ok(None), registrant)? {
                if self.find(&registrant.transport_id, registrant.rel_tgt_id).is_some() {
                    return Err(Errno::ENOMEM);
                }
                self.registrants.push(registrant);
                if holds {
                    holder = Some(self.registrants.len() - 1);
                }
            }
        }
        self.generation = generation;
        if let Some((kind, scope)) = reservation {
            if holder.is_none() && !matches!(kind, 7 | 8) {
                return Err(Errno::EINVAL);
            }
            self.set_holder(holder, scope, kind);
        }
        Ok(())
    }

    /// The content of the file.
    pub(super) fn file(&self) -> Vec<u8> {
        let mut file = [SIGNATURE.to_le_bytes(), VERSION.to_le_bytes()].concat();
        file.extend([u8::from(self.aptpl), u8::from(self.reserved), self.kind, self.scope]);
        for (index, registrant) in self.registrants.iter().enumerate() {
            file.push(u8::from(self.holder == Some(index)));
            file.extend(&registrant.transport_id);
            file.extend(registrant.key.to_be_bytes());
            file.extend(registrant.rel_tgt_id.to_le_bytes());
        }
        file
    }

    /// Reads a file; the generation starts anew. EINVAL for one that is damaged.
    pub(super) fn of_file(file: &[u8]) -> Result<Self, Errno> {
        let damaged = Errno::EINVAL;
        let (head, mut rest) = file.split_at_checked(20).ok_or(damaged)?;
        if head[..16] != [SIGNATURE.to_le_bytes(), VERSION.to_le_bytes()].concat() {
            return Err(damaged);
        }
        let [aptpl, reserved, kind, scope] = head[16..] else { return Err(damaged) };
        let mut all = Self { aptpl: aptpl != 0, reserved: reserved != 0, kind, scope, ..Self::default() };
        while let [holds, record @ ..] = rest
            && !record.is_empty()
        {
            let (transport_id, record) = record.split_at_checked(id_size(record)).ok_or(damaged)?;
            let (key, record) = record.split_first_chunk::<8>().ok_or(damaged)?;
            let (rel_tgt_id, record) = record.split_first_chunk::<2>().ok_or(damaged)?;
            let (key, rel_tgt_id) = (u64::from_be_bytes(*key), u16::from_le_bytes(*rel_tgt_id));
            if all.find(transport_id, rel_tgt_id).is_some() {
                return Err(Errno::ENOMEM);
            }
            if *holds != 0 {
                all.holder = Some(all.registrants.len());
            }
            all.registrants.push(Registrant { transport_id: transport_id.to_vec(), rel_tgt_id, key, nexus: None });
            rest = record;
        }
        Ok(all)
    }
}

/// A line after its first word: the registrant and whether it holds the reservation; nothing for a line that is none.
fn registrant(mut scan: Scan<'_>) -> Result<Option<(Registrant, bool)>, Errno> {
    let mut numbers = || Some((scan.decimal()?, scan.number(16, 16)?, scan.decimal()?, scan.decimal()?));
    let Some((rel_tgt_id, key, holder, length)) = numbers() else { return Ok(None) };
    if length == 0 || length > LONGEST_ID {
        return Err(Errno::EINVAL);
    }
    scan.blanks();
    let length = length as usize;
    let digits = scan.0.get(..2 * length).ok_or(Errno::EINVAL)?;
    let byte = |pair: &[u8]| Scan(pair).number(16, 2).map(|number| number.to_le_bytes()[0]).ok_or(Errno::EINVAL);
    let transport_id = digits.chunks(2).map(byte).collect::<Result<Vec<u8>, _>>()?;
    if id_size(&transport_id) != length {
        // The kernel reads on behind the end.
        return Err(Errno::ENOTSUP);
    }
    let [low, high, ..] = rel_tgt_id.to_le_bytes();
    let rel_tgt_id = u16::from_le_bytes([low, high]);
    Ok(Some((Registrant { transport_id, rel_tgt_id, key, nexus: None }, holder != 0)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "060000005feede401fade050000000000000000000000000";

    fn restored(text: &str) -> Result<String, Errno> {
        let mut all = Reservations::default();
        all.restore(text.as_bytes())?;
        Ok(String::from_utf8(all.text()).unwrap())
    }

    #[test]
    fn a_text_is_taken_back_as_it_was_shown() {
        let text = format!("version 1\ngeneration 9\nreservation 05 00\nregistrant 3 0000000000000abc 1 24 {ID}\n");
        assert_eq!(restored(&text), Ok(text));
        let of_all = format!("version 1\ngeneration 0\nreservation 08 00\nregistrant 3 00000000000000ff 1 24 {ID}\n");
        assert_eq!(restored(&of_all), Ok(of_all));
    }

    #[test]
    fn unknown_lines_are_passed_over_and_wrong_ones_refused() {
        let nothing = Ok("version 1\ngeneration 0\n".to_owned());
        for text in ["version 1", "version 1 generation 3", "version 1\nrubbish", "version 1\n\nreservation\n"] {
            assert_eq!(restored(text), nothing, "{text:?}");
        }
        assert_eq!(restored("version 1\ngeneration -1\n"), nothing);
        for text in ["", "\n", "generation 1", "version 2", "version 1\nreservation 05 00\n"] {
            assert_eq!(restored(text), Err(Errno::EINVAL), "{text:?}");
        }
        let registrant = |rest: &str| restored(&format!("version 1\nregistrant 1 abc 0 {rest}\n"));
        for rest in ["0 ", "513 00", "24 0600", &format!("24 {}", ID.replace("1f", "x1"))] {
            assert_eq!(registrant(rest), Err(Errno::EINVAL), "{rest:?}");
        }
        let twice = format!("version 1\nregistrant 1 a 0 24 {ID}\nregistrant 1 b 0 24 {ID}\n");
        assert_eq!(restored(&twice), Err(Errno::ENOMEM));
    }

    #[test]
    fn a_file_is_read_as_it_was_written_and_a_damaged_one_is_not() {
        let mut all = Reservations { aptpl: true, ..Reservations::default() };
        let text = format!("version 1\nreservation 01 00\nregistrant 3 abc 1 24 {ID}\n");
        all.restore(text.as_bytes()).unwrap();
        let file = all.file();
        assert_eq!(file.len(), 55);
        assert_eq!(Reservations::of_file(&file), Ok(all));
        let mut other = file.clone();
        other[0] ^= 1;
        let cut = &file[..file.len() - 1];
        for damaged in [&b"rubbish\n"[..], b"", &file[..19], cut, &other] {
            assert_eq!(Reservations::of_file(damaged), Err(Errno::EINVAL));
        }
    }
}
