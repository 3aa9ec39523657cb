//! The binary `scst_qla2xtgt`.

fn main() -> std::process::ExitCode {
    scst_core::ocf::run::main(&agents::scst_qla2xtgt::AGENT)
}
