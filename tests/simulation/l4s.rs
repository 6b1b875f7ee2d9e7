//! What is required of L4S, and that a link with an AQM gives each packet its time.

use bytes::Bytes;
use segue::{Ecn, Segment};
use segue_sim::dualpi2::Aqm;
use segue_sim::link::{Link, MILLISECOND, Packet, SECOND, Settings};
use segue_sim::loss::Loss;
use segue_sim::measure::run;
use segue_sim::record;
use segue_sim::rows::{Load, Row, Sender, Theme, Want, all};

fn row(name: &str) -> Row {
    let row = all().into_iter().find(|row| row.name == name).unwrap_or_else(|| panic!("no row {name}"));
    row.by(Sender::PRAGUE)
}

fn want(row: &Row, figure: &str) -> Want {
    row.figures.iter().find(|f| f.name == figure).unwrap_or_else(|| panic!("no figure {figure}")).want
}

#[test]
fn every_target_of_l4s_has_its_row() {
    assert_eq!(want(&row("l4s-100m"), "L queue, 99 %"), Want::AtMost(2.0));
    for name in ["l4s-cubic-100m", "l4s-cubic-100m-not-ect", "l4s-cubic-10m", "l4s-cubic-10m-not-ect"] {
        assert_eq!(want(&row(name), "share of CUBIC"), Want::Between(0.4, 0.6), "{name}");
    }
    for name in ["l4s-both", "l4s-both-farther"] {
        assert_eq!(want(&row(name), "share"), Want::Between(0.4, 0.6), "{name}");
    }
}

/// The queue of one flow, slow start included: 99 % of the packets wait 2 ms at the most.
#[test]
fn rfc_9331_4_3_the_l_queue_of_one_flow_is_short() {
    let row = row("l4s-100m");
    let outcome = run(&row, 1, None);
    assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
    assert!(outcome.values[0] <= 2.0 && outcome.values[1] > 0.9, "{:?}", outcome.values);
}

/// At 10 Mbit/s CUBIC beside Prague keeps its share, whether its text is ECN-capable or not.
#[test]
fn rfc_9331_4_3_cubic_keeps_its_share_beside_prague() {
    for name in ["l4s-cubic-10m", "l4s-cubic-10m-not-ect"] {
        let outcome = run(&row(name), 2, None);
        assert!((0.4..=0.6).contains(&outcome.values[0]), "{name}: {:?}", outcome.values);
        assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
    }
}

/// At 100 Mbit/s, in 20 seconds instead of the row's 60, CUBIC keeps as much, of which it has little in the first four; and the packets
/// of the L queue hardly wait.
#[test]
fn rfc_9331_4_3_cubic_keeps_its_share_beside_prague_at_100_mbit() {
    for name in ["l4s-cubic-100m", "l4s-cubic-100m-not-ect"] {
        let mut row = row(name);
        let Load::Pair { duration, .. } = &mut row.load else { panic!("{name} has two flows") };
        *duration = 20 * SECOND;
        let outcome = run(&row, 1, None);
        let [share, both, _, l_wait] = outcome.values[..] else { panic!("{:?}", outcome.values) };
        assert!((0.37..=0.6).contains(&share), "{name}: {share}");
        assert!(both > 0.95 && l_wait <= 0.5, "{name}: {both} {l_wait} ms");
        assert!(outcome.violations.is_empty(), "{:?}", outcome.violations);
    }
}

/// The short check has every row of L4S.
#[test]
fn the_short_check_has_the_rows_of_l4s() {
    let rows = record::rows();
    let of = |rows: &[Row]| rows.iter().filter(|row| row.theme == Theme::L4s).count();
    assert_eq!((of(&record::brief(&rows)), of(&rows)), (13, 13));
}

/// RFC 9331 §4.3 item 3: in a queue that marks as RFC 3168 says, CUBIC keeps two fifths at the least. Without the watch for such a
/// queue it would keep a tenth.
#[test]
fn rfc_9331_4_3_in_a_classic_queue_cubic_keeps_its_share() {
    let outcome = run(&row("l4s-classic-queue"), 1, None);
    assert!(outcome.values[0] > 0.4, "{:?}", outcome.values);
}

#[test]
fn a_link_with_an_aqm_sends_one_packet_after_the_other() {
    let delay = 20 * MILLISECOND;
    let settings = Settings {
        rate: 12_000_000,
        delay,
        queue: 0,
        mark_after: None,
        aqm: Some(Aqm::Dual),
        farther: 5 * MILLISECOND,
        loss: Loss::None,
        hold: None,
        bunch: None,
    };
    let mut link = Link::new(settings, 1);
    let packet = |flow, ecn| Packet {
        flow,
        segment: Segment { ecn, payload: Bytes::from(vec![0; 1460]), ..Segment::default() },
    };
    for (flow, ecn) in [(0, Ecn::Ect0), (1, Ecn::Ect0), (2, Ecn::Ect1)] {
        link.offer(packet(flow, ecn), 0);
    }
    assert_eq!(link.backlog(0), 4500);
    let mut arrived = Vec::new();
    while let Some(at) = link.next_arrival() {
        arrived.extend(link.take().map(|packet| (at / MILLISECOND, packet.flow)));
    }
    // what is sent already is not overtaken; the L queue goes first; the second flow is farther away
    assert_eq!(arrived, [(21, 0), (22, 2), (28, 1)]);
    assert_eq!(link.backlog(30 * MILLISECOND), 0);
}
