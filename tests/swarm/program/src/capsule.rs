//! A failure as a file: all that is needed to run it again, and to read what happened.

use std::path::Path;
use std::{fs, io};

use serde::{Deserialize, Serialize};

use crate::{Kind, World};

/// One failure.
#[derive(Clone, PartialEq, Debug, Serialize, Deserialize)]
pub struct Capsule {
    /// Of the form of this file.
    pub version: u32,
    pub seed: u64,
    pub kind: Kind,
    /// Which law was broken.
    pub reason: String,
    /// The world of the seed.
    pub plan: World,
    /// The smallest world found that breaks the same law.
    pub shrunk: World,
    pub shrunk_reason: String,
    /// The last steps of the shrunk world.
    pub ladder: Vec<String>,
}

impl Capsule {
    /// Of the form that this program writes. Another number where a capsule is read in another way.
    pub const VERSION: u32 = 1;

    /// Reads a capsule; an error says what to do.
    pub fn read(path: &Path) -> Result<Self, String> {
        let name = path.display();
        let text = fs::read_to_string(path).map_err(|error| format!("{name}: {error}"))?;
        Self::parse(&text).map_err(|error| format!("{name}: {error}"))
    }

    /// The same from text.
    pub fn parse(text: &str) -> Result<Self, String> {
        #[derive(Deserialize)]
        struct Head {
            version: u32,
            seed: u64,
        }
        let head: Head = serde_json::from_str(text).map_err(|error| format!("no capsule: {error}"))?;
        let (seed, version) = (head.seed, head.version);
        if version != Self::VERSION {
            let own = Self::VERSION;
            return Err(format!(
                "a capsule of version {version}, and this program reads version {own}; run its seed again with the \
                 program that wrote it, or with this one (which draws another world): --seed {seed}"
            ));
        }
        let capsule: Self = serde_json::from_str(text).map_err(|error| {
            format!("a plan that this program does not know ({error}); a new one may fail, too: --seed {seed}")
        })?;
        for (name, world) in [("plan", &capsule.plan), ("shrunk", &capsule.shrunk)] {
            world.check().map_err(|senseless| format!("a plan that makes no sense: {name}, {senseless}"))?;
        }
        Ok(capsule)
    }

    /// Whether the seed still draws the plan of this capsule; if not, an older program wrote it.
    pub fn is_current(&self) -> bool {
        Kind::of(self.seed) == self.kind && World::draw(self.seed) == self.plan
    }

    /// Writes it into a directory, and gives its path.
    pub fn write(&self, directory: &Path) -> io::Result<std::path::PathBuf> {
        fs::create_dir_all(directory)?;
        let path = directory.join(format!("{}-{}.json", self.kind, self.seed));
        let mut text = serde_json::to_string_pretty(self).map_err(io::Error::other)?;
        text.push('\n');
        fs::write(&path, text)?;
        Ok(path)
    }
}
