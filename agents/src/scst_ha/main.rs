//! The binary `scst-ha`.

fn main() -> std::process::ExitCode {
    agents::scst_ha::main()
}
