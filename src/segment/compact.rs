//! The options of a segment in 16 octets.

use alloc::boxed::Box;
use core::fmt;

use super::{AccEcn, FastOpenCookie, Options, SackBlock, Timestamps};

/// [`Options`] in 16 octets, as a [`Segment`](super::Segment) carries them. Timestamps alone, or no option at all, need
/// no other memory: nearly every segment has no more. The options of SYN segments, SACK blocks and all others are in a
/// box.
///
/// ```
/// use segue::{Flags, Options, Segment};
/// let options = Options { mss: Some(1460), sack_permitted: true, ..Options::default() };
/// let mut syn = Segment { flags: Flags::SYN, options: options.into(), ..Segment::default() };
/// assert_eq!((syn.options.mss(), syn.options.get()), (Some(1460), options));
/// syn.options.update(|options| options.window_scale = Some(7));
/// assert_eq!(syn.options, Options { window_scale: Some(7), ..options });
/// ```
#[derive(Clone, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
#[cfg_attr(feature = "serde", serde(into = "Options", from = "Options"))]
pub struct CompactOptions(Repr);

/// The two forms. Each list of options has exactly one, so that `==` and `Hash` can be derived.
#[derive(Clone, PartialEq, Eq, Hash)]
enum Repr {
    /// No option but timestamps.
    Common(Option<Timestamps>),
    /// Other options.
    Rare(Box<Options>),
}

impl CompactOptions {
    /// All options, to read their fields.
    ///
    /// ```
    /// use segue::{Options, Segment};
    /// let options = Options { mss: Some(1460), ..Options::default() };
    /// let syn = Segment { options: options.into(), ..Segment::default() };
    /// assert_eq!(syn.options.get(), options);
    /// ```
    pub fn get(&self) -> Options {
        match &self.0 {
            Repr::Common(timestamps) => Options { timestamps: *timestamps, ..Options::default() },
            Repr::Rare(options) => **options,
        }
    }

    /// Changes the options, and returns what `change` returns.
    ///
    /// ```
    /// use segue::{CompactOptions, Options};
    /// let mut options = CompactOptions::from(Options { mss: Some(9000), ..Options::default() });
    /// let before = options.update(|options| options.mss.replace(1460)); // a router that clamps the MSS
    /// assert_eq!((before, options.mss()), (Some(9000), Some(1460)));
    /// ```
    pub fn update<R>(&mut self, change: impl FnOnce(&mut Options) -> R) -> R {
        let mut options = self.get();
        let result = change(&mut options);
        *self = options.into();
        result
    }

    /// Timestamps or none, where there is no other option.
    #[inline]
    pub(crate) const fn common(&self) -> Option<Option<Timestamps>> {
        match &self.0 {
            Repr::Common(timestamps) => Some(*timestamps),
            Repr::Rare(_) => None,
        }
    }

    /// The options where there are others than timestamps.
    #[inline]
    pub(crate) fn rare(&self) -> Option<&Options> {
        match &self.0 {
            Repr::Common(_) => None,
            Repr::Rare(options) => Some(options),
        }
    }

    /// [`Options::timestamps`].
    ///
    /// ```
    /// use segue::{CompactOptions, Options, Timestamps};
    /// let timestamps = Some(Timestamps { value: 1, echo: 0 });
    /// let options = CompactOptions::from(Options { timestamps, ..Options::default() });
    /// assert_eq!(options.timestamps(), timestamps);
    /// ```
    #[inline]
    pub fn timestamps(&self) -> Option<Timestamps> {
        match &self.0 {
            Repr::Common(timestamps) => *timestamps,
            Repr::Rare(options) => options.timestamps,
        }
    }

    /// [`Options::mss`].
    ///
    /// ```
    /// use segue::{CompactOptions, Options};
    /// let options = CompactOptions::from(Options { mss: Some(1460), ..Options::default() });
    /// assert_eq!((options.mss(), CompactOptions::default().mss()), (Some(1460), None));
    /// ```
    pub fn mss(&self) -> Option<u16> {
        self.rare()?.mss
    }

    /// [`Options::window_scale`].
    ///
    /// ```
    /// use segue::{CompactOptions, Options};
    /// let options = CompactOptions::from(Options { window_scale: Some(7), ..Options::default() });
    /// assert_eq!(options.window_scale(), Some(7));
    /// ```
    pub fn window_scale(&self) -> Option<u8> {
        self.rare()?.window_scale
    }

    /// [`Options::sack_permitted`].
    ///
    /// ```
    /// use segue::{CompactOptions, Options};
    /// let options = CompactOptions::from(Options { sack_permitted: true, ..Options::default() });
    /// assert!(options.sack_permitted() && !CompactOptions::default().sack_permitted());
    /// ```
    pub fn sack_permitted(&self) -> bool {
        self.rare().is_some_and(|options| options.sack_permitted)
    }

    /// The blocks of [`Options::sack`].
    ///
    /// ```
    /// use segue::{CompactOptions, Options, SackBlock, SeqNum};
    /// let block = SackBlock { left: SeqNum::new(3000), right: SeqNum::new(4000) };
    /// let mut options = Options::default();
    /// options.sack.push(block);
    /// assert_eq!(CompactOptions::from(options).sack(), [block]);
    /// ```
    pub fn sack(&self) -> &[SackBlock] {
        self.rare().map_or(&[], |options| options.sack.as_slice())
    }

    /// [`Options::fast_open`].
    ///
    /// ```
    /// use segue::{CompactOptions, FastOpenCookie, Options};
    /// let fast_open = FastOpenCookie::new(&[7; 8]);
    /// let options = CompactOptions::from(Options { fast_open, ..Options::default() });
    /// assert_eq!(options.fast_open(), fast_open);
    /// ```
    pub fn fast_open(&self) -> Option<FastOpenCookie> {
        self.rare()?.fast_open
    }

    /// [`Options::user_timeout`].
    ///
    /// ```
    /// use segue::{CompactOptions, Options};
    /// let options = CompactOptions::from(Options { user_timeout: Some(0x8005), ..Options::default() }); // 5 minutes
    /// assert_eq!(options.user_timeout(), Some(0x8005));
    /// ```
    pub fn user_timeout(&self) -> Option<u16> {
        self.rare()?.user_timeout
    }

    /// [`Options::acc_ecn`].
    ///
    /// ```
    /// use segue::{AccEcn, CompactOptions, Options};
    /// let acc_ecn = AccEcn::order_0(&[1461]);
    /// let options = CompactOptions::from(Options { acc_ecn, ..Options::default() });
    /// assert_eq!(options.acc_ecn(), acc_ecn);
    /// ```
    pub fn acc_ecn(&self) -> Option<AccEcn> {
        self.rare()?.acc_ecn
    }

    /// [`Options::wire_len`].
    ///
    /// ```
    /// use segue::{CompactOptions, Options};
    /// let options = CompactOptions::from(Options { mss: Some(1460), ..Options::default() });
    /// assert_eq!((options.wire_len(), CompactOptions::default().wire_len()), (4, 0));
    /// ```
    #[inline]
    pub fn wire_len(&self) -> usize {
        match &self.0 {
            Repr::Common(None) => 0,
            Repr::Common(Some(_)) => 12, // NOP NOP timestamps
            Repr::Rare(options) => options.wire_len(),
        }
    }
}

impl Default for CompactOptions {
    fn default() -> Self {
        Self(Repr::Common(None))
    }
}

impl From<Option<Timestamps>> for CompactOptions {
    fn from(timestamps: Option<Timestamps>) -> Self {
        Self(Repr::Common(timestamps))
    }
}

impl From<Options> for CompactOptions {
    fn from(options: Options) -> Self {
        // Without `..`: an option that is added has to be looked at here.
        let Options { mss, window_scale, sack_permitted, timestamps, sack, fast_open, user_timeout, acc_ecn } = options;
        let common = mss.is_none()
            && window_scale.is_none()
            && !sack_permitted
            && sack.is_empty()
            && fast_open.is_none()
            && user_timeout.is_none()
            && acc_ecn.is_none();
        Self(if common { Repr::Common(timestamps) } else { Repr::Rare(Box::new(options)) })
    }
}

impl From<CompactOptions> for Options {
    fn from(options: CompactOptions) -> Self {
        options.get()
    }
}

impl PartialEq<Options> for CompactOptions {
    fn eq(&self, other: &Options) -> bool {
        self.get() == *other
    }
}

impl fmt::Debug for CompactOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.get().fmt(f)
    }
}

#[cfg(feature = "arbitrary")]
impl<'a> arbitrary::Arbitrary<'a> for CompactOptions {
    fn arbitrary(u: &mut arbitrary::Unstructured<'a>) -> arbitrary::Result<Self> {
        Options::arbitrary(u).map(Self::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{SackBlocks, SeqNum};

    const CLOCK: Option<Timestamps> = Some(Timestamps { value: 7, echo: 9 });

    fn sack() -> SackBlocks {
        let mut sack = SackBlocks::new();
        sack.push(SackBlock { left: SeqNum::new(1), right: SeqNum::new(2) });
        sack
    }

    /// Each option but timestamps, alone and beside timestamps.
    fn rare() -> impl Iterator<Item = Options> {
        let alone = [
            Options { mss: Some(0), ..Options::default() },
            Options { window_scale: Some(0), ..Options::default() },
            Options { sack_permitted: true, ..Options::default() },
            Options { sack: sack(), ..Options::default() },
            Options { fast_open: FastOpenCookie::new(&[]), ..Options::default() },
            Options { user_timeout: Some(0), ..Options::default() },
            Options { acc_ecn: AccEcn::order_0(&[]), ..Options::default() },
        ];
        alone.into_iter().flat_map(|options| [None, CLOCK].map(|timestamps| Options { timestamps, ..options }))
    }

    #[test]
    fn every_option_comes_back() {
        for options in rare().chain([None, CLOCK].map(|timestamps| Options { timestamps, ..Options::default() })) {
            let compact = CompactOptions::from(options);
            assert_eq!((compact.get(), compact.wire_len()), (options, options.wire_len()));
            assert_eq!((compact.timestamps(), compact.mss()), (options.timestamps, options.mss));
            assert_eq!((compact.window_scale(), compact.sack()), (options.window_scale, options.sack.as_slice()));
            assert_eq!((compact.sack_permitted(), compact.fast_open()), (options.sack_permitted, options.fast_open));
            assert_eq!((compact.user_timeout(), compact.acc_ecn()), (options.user_timeout, options.acc_ecn));
            assert_eq!(alloc::format!("{compact:?} {compact}"), alloc::format!("{options:?} {options}"));
        }
    }

    #[test]
    fn only_what_is_rare_takes_a_box_and_gives_it_back() {
        assert!(size_of::<CompactOptions>() <= 16);
        for options in rare() {
            let mut compact = CompactOptions::from(options);
            assert!(compact.rare().is_some(), "{options:?}");
            compact.update(|changed| *changed = Options { timestamps: changed.timestamps, ..Options::default() });
            assert!(compact.rare().is_none(), "{options:?}");
            assert_eq!(compact, CompactOptions::from(options.timestamps)); // the one form of these options
        }
    }
}
