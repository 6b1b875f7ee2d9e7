//! The conversation: two hosts, keys that change, and somebody who forges segments.

use std::fmt::Write;
use std::time::Duration;

use bytes::Bytes;
use segue::auth::{Refusal, signature};
use segue::host::{Flow, Listen};
use segue::ip::{self, Datagram, Format};
use segue_kit::Rng;

use super::args::Options;
use super::world::{ADDRESSES, Faults, PORT, User, World, policy};
use super::{Algorithm, Keys, MasterKeyTuple, Peers, TcpAo, TcpMd5};

/// How long either end may take for anything.
const PATIENCE: Duration = Duration::from_secs(600);

/// The key with these numbers: an agreement that is out of the scope of TCP-AO made it.
fn key(send_id: u8, recv_id: u8, algorithm: Algorithm) -> MasterKeyTuple {
    let key = format!("agreed on elsewhere: {}", send_id ^ recv_id).into_bytes();
    MasterKeyTuple { send_id, recv_id, algorithm, covers_options: true, key }
}

fn peers(algorithm: Option<Algorithm>) -> [Peers; 2] {
    [0, 1].map(|end: usize| {
        let keys = match algorithm {
            Some(algorithm) if end == 0 => Keys::Ao(TcpAo::new(key(61, 84, algorithm))),
            Some(algorithm) => Keys::Ao(TcpAo::new(key(84, 61, algorithm))),
            None => Keys::Md5(TcpMd5::new("agreed on elsewhere")),
        };
        Peers { keys: vec![(ADDRESSES[1 - end], Some(PORT), keys)], ..Peers::default() }
    })
}

/// All that the program prints, or what went wrong.
pub fn run(options: &Options) -> Result<String, String> {
    let mut said = String::new();
    let mut say = |line: String| {
        said.push_str(&line);
        said.push('\n');
    };
    let space = if options.algorithm.is_some() { 16 } else { 18 };
    let mut world = World::new(options.seed, &policy(space, |config| config), peers(options.algorithm));
    world.faults = Faults { lost: 10 * options.loss, ..Faults::default() };
    world.captured = Some(Vec::new());
    world.hosts[1].listen(Listen::port(PORT));
    world.hosts[1].accepted = User { octets: options.size, ..User::default() };
    let id = world.connect(User { octets: options.size, closes: true, ..User::default() });
    let flow = world.flow(id).ok_or("the connection is gone")?;
    let half = options.size / 2;
    let reads = |world: &World, octets| world.hosts[1].users.values().any(|user| user.read >= octets);
    if !world.until(PATIENCE, |world| reads(world, half.min(5000))) {
        return Err("the connection does not come about".into());
    }
    say(format!("{flow}, each end sends {} octets, {} % of the datagrams get lost", options.size, options.loss));
    for (name, (_, datagram)) in ["SYN", "SYN,ACK", "then"].iter().zip(world.captured.iter().flatten()) {
        say(format!("{name:<8} {}", show(datagram)));
    }
    world.captured = None;

    let sent = world.hosts[1].sent;
    let forged = forge(&mut world, &flow, options);
    let answers = world.hosts[1].sent - sent;
    let refused: Vec<String> = [Refusal::Signature, Refusal::Missing, Refusal::UnknownKey, Refusal::OtherKind]
        .iter()
        .map(|refusal| (world.hosts[1].associations.refused(*refusal), refusal))
        .filter(|(count, _)| *count > 0)
        .map(|(count, refusal)| format!("{count} with {refusal}"))
        .collect();
    say(format!("forged   {forged} segments at the server: {}; answers: {answers}", refused.join(", ")));
    if let (Some(algorithm), true) = (options.algorithm, half > 0) {
        change_keys(&mut world, &flow, algorithm, &mut say)?;
    }
    if !world.until(PATIENCE, |world| world.is_done([options.size; 2])) {
        return Err("the connection does not come to its end".into());
    }
    for (name, host) in ["client", "server"].iter().zip(&world.hosts) {
        let read: u64 = host.users.values().map(|user| user.read).sum();
        say(format!("{name}   read {read} octets and is closed"));
    }
    Ok(said)
}

/// A datagram, as tcpdump would show it, and its signature.
fn show(datagram: &Bytes) -> String {
    let mut text = String::new();
    if let Ok(Datagram::Tcp(_, packet)) = ip::decode(datagram.clone(), Format::default()) {
        let _ = write!(text, "{packet}");
    }
    let header = datagram.get(32).map_or(0, |offset| 20 + usize::from(offset >> 4) * 4);
    if let Some(Ok(Some(signature))) = datagram.get(40..header).map(signature) {
        let _ = write!(text, "\n         {signature:02x?}");
    }
    text
}

/// Segments of somebody who knows all numbers and no key; how many.
fn forge(world: &mut World, flow: &Flow, options: &Options) -> u32 {
    let mut rng = Rng::new(options.seed);
    let info = world.hosts[1].users.keys().next().copied();
    let now = world.now;
    let server = &mut world.hosts[1];
    let Some(info) = info.and_then(|id| server.endpoint.socket(id, now).ok()?.info()) else { return 0 };
    for number in 0..options.forge {
        let flags =
            rng.pick(&[segue::Flags::RST, segue::Flags::ACK, segue::Flags::SYN, segue::Flags::FIN | segue::Flags::ACK]);
        let (seq, ack) = (info.rcv_nxt, info.snd_nxt);
        let segment = segue::Segment { seq, ack, flags, payload: "forged".into(), ..segue::Segment::default() };
        let packet = flow.packet(segment);
        let mut datagram = Vec::new();
        let put = if number % 2 == 0 {
            ip::encode(flow.pseudo(), &packet, Format::default(), &mut datagram)
        } else {
            // the right form with a key that was guessed
            let keys = TcpAo::new(MasterKeyTuple { key: b"a guess".to_vec(), ..key(61, 84, Algorithm::HmacSha1) });
            let mut guess = segue::auth::Association::new(keys);
            let syn =
                segue::Segment { seq, ack, flags: segue::Flags::SYN | segue::Flags::ACK, ..segue::Segment::default() };
            let fill = segue::codec::Fill::Now(flow.pseudo());
            let _ = guess.header(flow.pseudo(), &flow.packet(syn), fill);
            let header = guess.header(flow.pseudo(), &packet, fill);
            header.and_then(|header| ip::encode_with(flow.pseudo(), &header, &packet, Format::default(), &mut datagram))
        };
        if put.is_ok() {
            let _ = server.receive(datagram.into(), now);
        }
    }
    options.forge
}

/// Both ends get a second key; the client asks for it, and the server, too.
fn change_keys(
    world: &mut World,
    flow: &Flow,
    algorithm: Algorithm,
    say: &mut dyn FnMut(String),
) -> Result<(), String> {
    let flows = [*flow, flow.reversed()];
    let ids = [(1, 2), (2, 1)];
    for end in [0, 1] {
        let keys = keys_of(world, end, &flows[end]).ok_or("the association is gone")?;
        keys.add(key(ids[end].0, ids[end].1, algorithm)).map_err(|error| error.to_string())?;
        keys.ask_for(ids[end].1).map_err(|error| error.to_string())?;
    }
    let uses = |world: &mut World, end: usize| {
        keys_of(world, end, &flows[end]).is_none_or(|keys| keys.current().send_id == ids[end].0)
    };
    for _ in 0..1_000_000 {
        if uses(world, 0) && uses(world, 1) {
            break;
        }
        if !world.step() {
            break;
        }
    }
    for (end, name) in ["client", "server"].iter().enumerate() {
        let Some(keys) = keys_of(world, end, &flows[end]) else { return Ok(()) };
        let old = if end == 0 { 61 } else { 84 };
        let removed = keys.remove(old).is_ok();
        say(format!(
            "keys     the {name} signs with {} and {} key {old}",
            keys.current().send_id,
            if removed { "has forgotten" } else { "still has" }
        ));
    }
    Ok(())
}

fn keys_of<'a>(world: &'a mut World, end: usize, flow: &Flow) -> Option<&'a mut TcpAo> {
    match world.hosts[end].associations.get_mut(flow)?.authenticator_mut() {
        Keys::Ao(keys) => Some(keys),
        Keys::Md5(_) => None,
    }
}
