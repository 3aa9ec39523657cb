//! The binary `scst_target`.

fn main() -> std::process::ExitCode {
    scst_core::ocf::run::main(&agents::scst_target::AGENT)
}
