//! The rows. Each names what it does once; `run` does it often.

mod codec;
#[cfg(feature = "host")]
mod endpoint;
mod holes;
mod ip;
mod machine;

use std::fmt;

/// What goes in and comes out.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Form {
    /// Segments as values.
    Value,
    /// IPv4 packets whose checksums the hardware computes and verifies.
    Octets,
    /// IPv4 packets, checksums included.
    Checksum,
}

impl Form {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Value => "value",
            Self::Octets => "octets",
            Self::Checksum => "octets+checksum",
        }
    }
}

/// Does the work and returns how often.
pub type Run = std::rc::Rc<dyn Fn() -> u32>;

/// One figure.
#[derive(Clone)]
pub struct Row {
    pub name: String,
    pub form: Form,
    pub run: Run,
}

impl fmt::Debug for Row {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.name, self.form.name())
    }
}

fn row(name: impl Into<String>, form: Form, run: impl Fn() -> u32 + 'static) -> Row {
    Row { name: name.into(), form, run: std::rc::Rc::new(run) }
}

/// The same work in the three forms.
macro_rules! forms {
    ($name:expr, $work:ident($($arg:expr),*)) => {
        [
            $crate::rows::row($name, $crate::rows::Form::Value, move || $work::<$crate::host::Values>($($arg),*)),
            $crate::rows::row($name, $crate::rows::Form::Octets, move || $work::<$crate::host::Hardware>($($arg),*)),
            $crate::rows::row($name, $crate::rows::Form::Checksum, move || $work::<$crate::host::Software>($($arg),*)),
        ]
    };
}
use forms;

/// All rows, in the order of the table.
pub fn rows() -> Vec<Row> {
    let rows = [machine::rows(), holes::rows(), codec::rows(), ip::rows()].concat();
    #[cfg(feature = "host")]
    let rows = [rows, endpoint::rows()].concat();
    rows
}
