//! Every public value, to JSON and to a compact binary format and back.

use std::fmt::Debug;

use arbitrary::{Arbitrary, Unstructured};
use quickcheck::quickcheck;
use segue::{AccEcn, Config, Event, FastOpenCookie, Flags, Options, SackBlock, SackBlocks, Segment, SeqNum};
use serde::{Serialize, de::DeserializeOwned};

fn same<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) -> bool {
    let json = serde_json::to_string(value).expect("it is written");
    let binary = postcard::to_allocvec(value).expect("it is written");
    let read: T = serde_json::from_str(&json).unwrap_or_else(|error| panic!("{error}: {json}"));
    let compact: T = postcard::from_bytes(&binary).unwrap_or_else(|error| panic!("{error}: {value:?}"));
    read == *value && compact == *value
}

fn drawn<T: for<'a> Arbitrary<'a> + Serialize + DeserializeOwned + PartialEq + Debug>(octets: &[u8]) -> bool {
    Unstructured::new(octets).arbitrary().is_ok_and(|value: T| same(&value))
}

/// The event without a batch inside a batch.
fn flat(event: Event) -> Event {
    fn parts(of: Vec<Event>) -> Vec<Event> {
        let flat = |part| if let Event::Batch(inner) = part { parts(inner) } else { vec![part] };
        of.into_iter().flat_map(flat).collect()
    }
    if let Event::Batch(of) = event { Event::Batch(parts(of)) } else { event }
}

quickcheck! {
    fn any_event_is_read_as_written(octets: Vec<u8>) -> bool {
        Unstructured::new(&octets).arbitrary().is_ok_and(|event| same(&flat(event)))
    }

    fn any_part_of_a_batch_is_read_as_written(octets: Vec<u8>) -> bool {
        Unstructured::new(&octets).arbitrary().is_ok_and(|event| same(&flat(Event::Batch(vec![Event::Close, event]))))
    }

    fn any_segment_is_read_as_written(octets: Vec<u8>) -> bool {
        drawn::<Segment>(&octets)
    }

    fn any_configuration_is_read_as_written(octets: Vec<u8>) -> bool {
        drawn::<Config>(&octets)
    }

    /// Whatever is read, it is a value or an error.
    fn no_octets_read_as_an_event_do_harm(octets: Vec<u8>) -> bool {
        let _ = postcard::from_bytes::<Event>(&octets);
        let _ = serde_json::from_slice::<Event>(&octets);
        true
    }
}

/// However many levels somebody wrote, the reader does not call itself for each.
#[test]
fn a_batch_inside_a_batch_is_refused() {
    for levels in [1, 2, 100, 1_000_000] {
        let inner = Event::Batch(vec![Event::Close]);
        let [batch, one, ref close @ ..] = postcard::to_allocvec(&inner).unwrap()[..] else { panic!("a list of one") };
        let octets: Vec<u8> = [batch, one].repeat(levels).into_iter().chain(close.iter().copied()).collect();
        assert_eq!(postcard::from_bytes::<Event>(&octets).is_ok(), levels == 1, "{levels} levels");
    }
    let inside = Event::Batch(vec![Event::Batch(Vec::new())]);
    let error = serde_json::from_str::<Event>(&serde_json::to_string(&inside).unwrap()).unwrap_err();
    assert!(error.to_string().contains("a batch inside a batch"), "{error}");
}

#[test]
fn people_can_read_the_form() {
    let segment = Segment {
        flags: Flags::SYN | Flags::ACK,
        payload: bytes::Bytes::from_static(b"\x00\xffA"),
        ..Segment::default()
    };
    let json = serde_json::to_string(&segment).unwrap();
    assert!(json.contains(r#""flags":"SYN | ACK""#) && json.contains(r#""payload":"00ff41""#), "{json}");
}

#[test]
fn a_missing_setting_or_field_has_its_default() {
    let config: Config = serde_json::from_str(r#"{"nagle": false}"#).unwrap();
    assert_eq!(config, Config::builder().nagle(false).build().unwrap());
    assert_eq!(serde_json::from_str::<Segment>("{}").unwrap(), Segment::default());
}

/// The words of the refusal.
fn refusal<T: DeserializeOwned + Debug>(json: &str) -> String {
    serde_json::from_str::<T>(json).expect_err("it is no value").to_string()
}

#[test]
fn no_value_is_refused_with_words() {
    let config = refusal::<Config>(r#"{"ack_every": 9}"#);
    assert!(config.starts_with("ack_every is out of range: give 1..=2"), "{config}");
    let order = refusal::<Config>(r#"{"min_mss": 500, "max_mss": 100}"#);
    assert!(order.starts_with("min_mss must not exceed max_mss"), "{order}");
    assert!(refusal::<Config>(r#"{"nagel": false}"#).contains("unknown field `nagel`"));
    for odd in ["0", "0g", "é"] {
        let words = refusal::<Segment>(&format!(r#"{{"payload": "{odd}"}}"#));
        assert!(words.starts_with("payload is two hexadecimal digits for each octet"), "{words}");
    }
    let block = r#"{"left": 1, "right": 2}"#;
    let five = format!(r#"{{"sack": [{}]}}"#, [block; 5].join(","));
    assert!(refusal::<Options>(&five).starts_with("a segment has up to 4 SACK blocks"));
    for wrong in ["[false, [1, 2, 3, 4]]", "[true, [16777216]]"] {
        let words = refusal::<Options>(&format!(r#"{{"acc_ecn": {wrong}}}"#));
        assert!(words.starts_with("an AccECN option has up to 3 numbers of 24 bits"), "{words}");
    }
    assert!(refusal::<Options>(r#"{"fast_open": "010203"}"#).starts_with("a Fast Open cookie has no octet, or"));
}

#[test]
fn all_options_of_a_segment_are_written() {
    let mut sack = SackBlocks::new();
    assert!((0..4u32).all(|n| sack.push(SackBlock { left: SeqNum::new(9 * n), right: SeqNum::new(9 * n + 5) })));
    let options = Options { sack, fast_open: FastOpenCookie::new(&[7; 16]), ..Options::default() };
    assert!(same(&options) && same(&Options { user_timeout: Some(9), mss: Some(0), ..options }));
    for len in 0..=3 {
        let fields = &[0, 0xFF_FFFF, 7][..len];
        for acc_ecn in [AccEcn::order_0(fields), AccEcn::order_1(fields)] {
            assert!(acc_ecn.is_some() && same(&Options { acc_ecn, ..options }));
        }
    }
}
