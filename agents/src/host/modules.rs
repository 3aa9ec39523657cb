//! Loads the kernel modules that a start needs and that are not loaded.

use std::time::Duration;

use scst_core::ocf::exit::Failure;
use scst_core::scst;
use scst_core::scst::names::Driver;

use super::Host;

/// The longest a module may take to load: its hardware is set up meanwhile.
const MODPROBE: Duration = Duration::from_mins(1);

/// A kernel module, and how to see that it is there.
#[derive(Debug, Clone)]
pub struct Module {
    /// What modprobe is asked for.
    pub name: &'static str,
    /// Its directory below `/sys/module`.
    pub dir: &'static str,
    /// The directory it makes in SCST's tree.
    pub shows: String,
}

impl Module {
    /// SCST itself.
    pub fn scst() -> Self {
        Self { name: "scst", dir: "scst", shows: scst::ROOT.to_owned() }
    }

    /// A module that makes the handler `handler`.
    pub fn handler(name: &'static str, handler: &str) -> Self {
        Self { name, dir: name, shows: format!("{}/handlers/{handler}", scst::ROOT) }
    }

    /// A target driver.
    pub fn driver(driver: Driver) -> Self {
        Self { name: driver.module(), dir: driver.module_dir(), shows: scst::target::driver(driver) }
    }
}

impl Host<'_> {
    /// Loads the modules whose directory below `/sys/module`, and whose other sign of life, are missing.
    ///
    /// # Errors
    ///
    /// Exit 5 naming the module that could not be loaded.
    pub fn load_modules(&self, modules: &[Module]) -> Result<(), Failure> {
        for module in modules {
            if self.is_loaded(module)? {
                continue;
            }
            if self.dry_run() {
                println!("load module {}", module.name);
                continue;
            }
            let limit = MODPROBE.min(self.deadline().remaining());
            self.tools.run("modprobe", &[module.name], limit).map_err(|error| {
                Failure::installed(format!("module {} could not be loaded: {error}", module.name))
                    .with_hint("SCST must be installed for the running kernel")
            })?;
            tracing::info!("load module {}", module.name);
        }
        Ok(())
    }

    /// Looks whether modules that are not loaded could be, and loads none.
    ///
    /// # Errors
    ///
    /// Exit 5 naming the module that modprobe does not find.
    pub fn find_modules(&self, modules: &[Module]) -> Result<(), Failure> {
        for module in modules {
            if self.is_loaded(module)? {
                continue;
            }
            let limit = MODPROBE.min(self.deadline().remaining());
            let found = self.tools.run("modprobe", &["--dry-run", module.name], limit);
            found.map_err(|error| {
                Failure::installed(format!("module {} could not be found: {error}", module.name))
                    .with_hint("SCST must be installed for the running kernel")
            })?;
        }
        Ok(())
    }

    fn is_loaded(&self, module: &Module) -> Result<bool, Failure> {
        let there = |path: &str| self.sysfs.optional_list(path, self.deadline()).map(|entries| entries.is_some());
        // A module that is built into the kernel, or a driver with another module's name, shows only by what it does.
        Ok(there(&module.shows)? || there(&scst::module(module.dir))?)
    }
}
