//! How measurements are printed: tables as Markdown has them, aligned for those who read them as text.

use std::error::Error;
use std::time::Duration;

/// The cells of a table, or why there is none.
pub(super) type Rows = Result<Vec<Vec<String>>, Box<dyn Error>>;

/// The table of these rows.
pub(super) fn table(heads: &[&str], rows: &[Vec<String>]) -> String {
    let heads: Vec<String> = heads.iter().map(|head| (*head).to_owned()).collect();
    let width = |column: usize| rows.iter().chain([&heads]).map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = (0..heads.len()).map(|column| width(column).unwrap_or_default()).collect();
    let rule = widths.iter().map(|width| "-".repeat(*width)).collect();
    let line = |row: &Vec<String>| {
        let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    [&heads, &rule].into_iter().chain(rows).map(line).collect()
}

/// A number with its thousands apart.
pub(super) fn number(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A time in the unit that fits.
pub(super) fn duration(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 0.001 {
        format!("{:.0} µs", seconds * 1e6)
    } else if seconds < 1.0 {
        format!("{:.1} ms", seconds * 1e3)
    } else {
        format!("{seconds:.2} s")
    }
}

/// The middle of some durations: half of them are not longer. Zero without any.
pub(super) fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times.get(times.len().saturating_sub(1) / 2).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_numbers_and_times_are_readable_and_a_median_is_one_of_the_times() {
        let rows = [vec!["start".to_owned(), "µ".to_owned()]];
        assert_eq!(table(&["what", "time"], &rows), "| what  | time |\n| ----- | ---- |\n| start | µ    |\n");
        assert_eq!([0, 999, 1000, 202_752].map(number), ["0", "999", "1,000", "202,752"]);
        let times = [Duration::from_micros(420), Duration::from_micros(1500), Duration::from_millis(2500)];
        assert_eq!(times.map(duration), ["420 µs", "1.5 ms", "2.50 s"]);
        let milliseconds = [9, 1, 5, 7].map(Duration::from_millis);
        assert_eq!(median(milliseconds.into()), Duration::from_millis(5));
    }
}
