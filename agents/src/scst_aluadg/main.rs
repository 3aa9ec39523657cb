//! The binary `scst_aluadg`.

fn main() -> std::process::ExitCode {
    scst_core::ocf::run::main(&agents::scst_aluadg::Aluadg)
}
