//! What the crate's features leave out. A constant guards the entry of each rule that belongs to a feature: so the compiler
//! always checks these rules, and the optimizer drops those that nothing enters. `cubic` and `reassembly` take the place of
//! whole modules instead, by `cfg`. The settings of a feature that is left out
//! read as off; where that is enough, as for pacing, no rule needs a guard.

/// The short ways of usual segments and of bursts.
pub(crate) const SHORTCUTS: bool = cfg!(feature = "shortcuts");
/// TCP Fast Open (RFC 7413).
pub(crate) const FAST_OPEN: bool = cfg!(feature = "fast-open");
/// Selective acknowledgments, sent and received (RFC 2018).
pub(crate) const SACK: bool = cfg!(feature = "sack");
/// RACK-TLP (RFC 8985).
pub(crate) const RACK: bool = cfg!(feature = "rack");
/// Reductions of the window that were a mistake are undone.
pub(crate) const UNDO: bool = cfg!(feature = "undo");
/// Black holes, and probes for a larger MTU.
pub(crate) const PATH_MTU: bool = cfg!(feature = "path-mtu");
/// Congestion window validation (RFC 7661).
pub(crate) const WINDOW_VALIDATION: bool = cfg!(feature = "window-validation");
/// Explicit Congestion Notification (RFC 3168).
pub(crate) const ECN: bool = cfg!(feature = "ecn");
/// Accurate ECN feedback (RFC 9768), beside classic ECN.
pub(crate) const ACCURATE_ECN: bool = ECN && cfg!(feature = "accurate-ecn");
