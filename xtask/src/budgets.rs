//! The firmware's budgets: xtask/budgets.toml.

use std::collections::BTreeMap;
use std::fs;

use crate::modules::{Bytes, Modules};
use crate::toolchain::Processor;
use crate::workspace::Workspace;

const FILE: &str = "xtask/budgets.toml";

/// Which bytes count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// Text, rodata and initial values.
    Flash,
    /// Data and bss.
    Ram,
}

/// A limit for some modules, or for all.
#[derive(Clone, Debug)]
pub struct Limit {
    /// Its name in a report.
    pub name: String,
    /// The modules; if empty, all of them.
    pub modules: Vec<String>,
    /// Which bytes count.
    pub what: What,
    /// Maximum number of bytes.
    pub budget: u32,
    /// The number of bytes to be reached, if that is less.
    pub goal: Option<u32>,
}

impl Limit {
    /// The bytes that count, in `modules`.
    pub fn measure(&self, modules: &Modules) -> u32 {
        let mut sum = Bytes::default();
        let counts = |name: &String| self.modules.is_empty() || self.modules.contains(name);
        modules.iter().filter(|(name, _)| counts(name)).for_each(|(_, bytes)| sum.join(*bytes));
        match self.what {
            What::Flash => sum.flash(),
            What::Ram => sum.ram(),
        }
    }
}

/// When stack usage is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Until the processor sleeps for the first time.
    Start,
    /// From then on.
    Run,
}

/// A limit for the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stack {
    /// When.
    pub when: When,
    /// Maximum number of bytes.
    pub budget: u32,
    /// The number of bytes to be reached, if that is less.
    pub goal: Option<u32>,
}

/// A firmware that has budgets.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name.
    pub name: String,
    /// Its manifest, below the workspace's root; if `None`, picovd.toml.
    pub manifest: Option<String>,
    /// The cores that it is for. An image that is not for Arm is built but never run: its stack and its panics are not
    /// checked.
    pub processor: Processor,
    /// Its budgets.
    pub limits: Vec<Limit>,
    /// Its stack budgets; if empty, the stack is not measured.
    pub stack: Vec<Stack>,
}

/// Everything in the file.
#[derive(Clone, Debug)]
pub struct Budgets {
    /// The firmware images.
    pub images: Vec<Image>,
    /// Places that may panic, by file.
    pub panics: BTreeMap<String, usize>,
}

impl Budgets {
    /// Reads the file.
    pub fn read(workspace: &Workspace) -> Result<Self, String> {
        let path = workspace.root.join(FILE);
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        Self::parse(&text).map_err(|e| format!("{}: {e}", path.display()))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
        let images = list(&table, "image")?.iter().map(|table| image(table)).collect::<Result<_, _>>()?;
        let mut panics = BTreeMap::new();
        for table in list(&table, "panic")? {
            // A site without a reason does not count.
            text_of(table, "reason")?;
            let sites = number_of(table, "sites")?.ok_or("a [[panic]] lacks `sites`")?;
            panics.insert(text_of(table, "file")?, sites as usize);
        }
        Ok(Self { images, panics })
    }
}

fn image(table: &toml::Table) -> Result<Image, String> {
    let manifest = table.contains_key("manifest").then(|| text_of(table, "manifest")).transpose()?;
    let limits = list(table, "limit")?.iter().map(|table| limit(table)).collect::<Result<_, _>>()?;
    let stack = list(table, "stack")?.iter().map(|table| stack(table)).collect::<Result<_, _>>()?;
    let processor = match table.get("processor").map(|value| value.as_str()) {
        None => Processor::Arm,
        Some(Some("riscv")) => Processor::RiscV,
        Some(_) => return Err("`processor` must be riscv, or missing".to_owned()),
    };
    Ok(Image { name: text_of(table, "name")?, manifest, processor, limits, stack })
}

fn stack(table: &toml::Table) -> Result<Stack, String> {
    let when = match text_of(table, "when")?.as_str() {
        "start" => When::Start,
        "run" => When::Run,
        other => return Err(format!("`when` must be start or run, not {other}")),
    };
    let budget = number_of(table, "budget")?.ok_or("a limit of the stack lacks `budget`")?;
    Ok(Stack { when, budget, goal: number_of(table, "goal")? })
}

fn limit(table: &toml::Table) -> Result<Limit, String> {
    let what = match text_of(table, "what")?.as_str() {
        "flash" => What::Flash,
        "ram" => What::Ram,
        other => return Err(format!("`what` must be flash or ram, not {other}")),
    };
    let modules = match table.get("modules") {
        None => Vec::new(),
        Some(value) => value
            .as_array()
            .and_then(|all| all.iter().map(|one| one.as_str().map(str::to_owned)).collect())
            .ok_or("`modules` must be a list of names")?,
    };
    let budget = number_of(table, "budget")?.ok_or("a limit lacks `budget`")?;
    Ok(Limit { name: text_of(table, "name")?, modules, what, budget, goal: number_of(table, "goal")? })
}

fn list<'t>(table: &'t toml::Table, key: &str) -> Result<Vec<&'t toml::Table>, String> {
    match table.get(key) {
        None => Ok(Vec::new()),
        Some(value) => value
            .as_array()
            .and_then(|all| all.iter().map(toml::Value::as_table).collect())
            .ok_or_else(|| format!("`{key}` is not a list of tables")),
    }
}

fn text_of(table: &toml::Table, key: &str) -> Result<String, String> {
    table
        .get(key)
        .and_then(toml::Value::as_str)
        .map(str::to_owned)
        .ok_or_else(|| format!("`{key}` is missing or not a text"))
}

fn number_of(table: &toml::Table, key: &str) -> Result<Option<u32>, String> {
    let Some(value) = table.get(key) else { return Ok(None) };
    value
        .as_integer()
        .and_then(|n| u32::try_from(n).ok())
        .map(Some)
        .ok_or_else(|| format!("`{key}` is not a number of bytes"))
}

#[cfg(test)]
mod tests {
    use super::{Budgets, What, When};

    #[test]
    fn the_file_is_read() {
        let text = "[[image]]\nname = \"a\"\n[[image.limit]]\nname = \"all\"\nwhat = \"ram\"\nbudget = 5\ngoal = 4\n\
                    [[image.stack]]\nwhen = \"run\"\nbudget = 7\n\
                    [[panic]]\nfile = \"x.rs\"\nsites = 2\nreason = \"at the start only\"\n";
        let budgets = Budgets::parse(text).unwrap();
        let limit = &budgets.images[0].limits[0];
        assert_eq!((limit.what, limit.budget, limit.goal), (What::Ram, 5, Some(4)));
        let stack = budgets.images[0].stack[0];
        assert_eq!((stack.when, stack.budget, stack.goal), (When::Run, 7, None));
        assert_eq!(budgets.panics["x.rs"], 2);
        assert!(Budgets::parse(&text.replace("reason", "because")).is_err());
        assert!(Budgets::parse(&text.replace("\"ram\"", "\"rom\"")).is_err());
        assert!(Budgets::parse(&text.replace("\"run\"", "\"ran\"")).is_err());
    }
}
