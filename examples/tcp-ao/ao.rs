//! TCP-AO for one connection: its master keys, and which of them is in use.

use std::fmt;
use std::sync::Arc;

use segue::SeqNum;
use segue::auth::{Authenticator, Covered, Refusal, Signature, TCP_AO};

use super::algorithm::{Algorithm, MAC_LEN, TrafficKey, equal};

/// Traffic keys that are kept: those of two master keys in four roles.
const KEPT: usize = 8;

/// A master key tuple (RFC 5925 §3.1) without the identifier of the connection: who has it knows the peer. It never changes.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct MasterKeyTuple {
    /// The KeyID of what we send, and the RNextKeyID with which the peer asks for it.
    pub send_id: u8,
    /// The KeyID of what the peer sends, and the RNextKeyID with which we ask for it.
    pub recv_id: u8,
    pub algorithm: Algorithm,
    /// Whether the MAC covers the other options: not where middleboxes change them.
    pub covers_options: bool,
    pub key: Vec<u8>,
}

impl Default for MasterKeyTuple {
    fn default() -> Self {
        Self { send_id: 0, recv_id: 0, algorithm: Algorithm::default(), covers_options: true, key: Vec::new() }
    }
}

/// Keys are not shown.
impl fmt::Debug for MasterKeyTuple {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { send_id, recv_id, algorithm, covers_options, key: _ } = self;
        let mut shown = f.debug_struct("MasterKeyTuple");
        shown.field("send_id", send_id).field("recv_id", recv_id).field("algorithm", algorithm);
        shown.field("covers_options", covers_options).finish_non_exhaustive()
    }
}

/// Why keys are not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum KeyError {
    /// Two tuples have the same SendID, or the same RecvID (RFC 5925 §3.1).
    Overlap,
    /// No tuple has this number.
    Unknown,
    /// The tuple is in use.
    InUse,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Overlap => "two keys have the same number",
            Self::Unknown => "no key has this number",
            Self::InUse => "the key is in use",
        })
    }
}

impl std::error::Error for KeyError {}

/// What a traffic key depends on beside addresses and ports, which a connection keeps.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
struct Kept {
    send_id: u8,
    /// Of source and destination.
    isns: (SeqNum, SeqNum),
    source_port: u16,
    key: TrafficKey,
}

/// The keys of one connection (RFC 5925 §4).
///
/// What leaves is signed with the current key, and asks for the next one with the RNextKeyID. When the peer asks for another
/// key that is here, this becomes the current one. So both ends change keys without losing a segment: both [`add`](Self::add) the
/// new key, one [asks](Self::ask_for) for it, and when the peer uses it, both [`remove`](Self::remove) the old one.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct TcpAo {
    keys: Vec<Arc<MasterKeyTuple>>,
    current: Arc<MasterKeyTuple>,
    next: Arc<MasterKeyTuple>,
    heard: Option<(u8, u8)>,
    kept: Vec<Kept>,
}

impl TcpAo {
    /// A connection that begins with this key.
    pub fn new(key: MasterKeyTuple) -> Self {
        let key = Arc::new(key);
        Self { keys: vec![key.clone()], current: key.clone(), next: key, heard: None, kept: Vec::new() }
    }

    /// Another key that the peer may use or ask for.
    pub fn add(&mut self, key: MasterKeyTuple) -> Result<(), KeyError> {
        if self.keys.iter().any(|known| known.send_id == key.send_id || known.recv_id == key.recv_id) {
            return Err(KeyError::Overlap);
        }
        self.keys.push(Arc::new(key));
        Ok(())
    }

    /// A key that is not used any more.
    pub fn remove(&mut self, send_id: u8) -> Result<(), KeyError> {
        let at = self.keys.iter().position(|key| key.send_id == send_id).ok_or(KeyError::Unknown)?;
        if self.current.send_id == send_id || self.next.send_id == send_id {
            return Err(KeyError::InUse);
        }
        self.keys.remove(at);
        self.kept.retain(|kept| kept.send_id != send_id);
        Ok(())
    }

    /// rnext_key: from now on the peer is asked for the key with this RecvID.
    pub fn ask_for(&mut self, recv_id: u8) -> Result<(), KeyError> {
        self.next = self.by_recv_id(recv_id).ok_or(KeyError::Unknown)?;
        Ok(())
    }

    /// current_key: from now on we sign with the key with this SendID, until the peer asks for another.
    pub fn sign_with(&mut self, send_id: u8) -> Result<(), KeyError> {
        self.current = self.by_send_id(send_id).ok_or(KeyError::Unknown)?;
        Ok(())
    }

    /// All keys (RFC 5925 §7.1).
    pub fn keys(&self) -> impl Iterator<Item = &MasterKeyTuple> {
        self.keys.iter().map(|key| &**key)
    }

    /// The key that we sign with.
    pub fn current(&self) -> &MasterKeyTuple {
        &self.current
    }

    /// The key that we ask for.
    pub fn next(&self) -> &MasterKeyTuple {
        &self.next
    }

    /// KeyID and RNextKeyID of the last segment that came with a right MAC (RFC 5925 §7.1).
    pub const fn heard(&self) -> Option<(u8, u8)> {
        self.heard
    }

    fn by_send_id(&self, id: u8) -> Option<Arc<MasterKeyTuple>> {
        self.keys.iter().find(|key| key.send_id == id).cloned()
    }

    fn by_recv_id(&self, id: u8) -> Option<Arc<MasterKeyTuple>> {
        self.keys.iter().find(|key| key.recv_id == id).cloned()
    }

    /// The traffic key of a segment, kept or derived.
    fn traffic_key(&self, key: &MasterKeyTuple, segment: &Covered<'_>) -> TrafficKey {
        let (source_port, isns) = (segment.ports().0, segment.isns());
        let is_it = |kept: &&Kept| (kept.send_id, kept.isns, kept.source_port) == (key.send_id, isns, source_port);
        match self.kept.iter().find(is_it) {
            Some(kept) => kept.key.clone(),
            None => key.algorithm.traffic_key(&key.key, segment),
        }
    }

    fn keep(&mut self, send_id: u8, segment: &Covered<'_>, key: TrafficKey) {
        let kept = Kept { send_id, isns: segment.isns(), source_port: segment.ports().0, key };
        if !self.kept.contains(&kept) {
            self.kept.truncate(KEPT - 1);
            self.kept.insert(0, kept);
        }
    }
}

impl Authenticator for TcpAo {
    fn space(&self) -> u8 {
        4 + MAC_LEN as u8
    }

    fn sign(&mut self, segment: &Covered<'_>, option: &mut [u8]) {
        let current = self.current.clone();
        let (fixed, mac) = option.split_at_mut(4);
        fixed.copy_from_slice(&[TCP_AO, 4 + MAC_LEN as u8, current.send_id, self.next.recv_id]);
        let key = self.traffic_key(&current, segment);
        mac.copy_from_slice(&current.algorithm.mac(&key, segment, fixed, current.covers_options));
        self.keep(current.send_id, segment, key);
    }

    fn verify(&mut self, segment: &Covered<'_>) -> Result<(), Refusal> {
        let Some(Signature::TcpAo { key_id, rnext_key_id, mac }) = segment.signature() else {
            return Err(Refusal::OtherKind);
        };
        let master = self.by_recv_id(key_id).ok_or(Refusal::UnknownKey)?;
        if mac.len() != MAC_LEN {
            return Err(Refusal::Length); // RFC 5925 §7.5, step 2a: before any work on keys
        }
        let key = self.traffic_key(&master, segment);
        let right = master.algorithm.mac(&key, segment, segment.option(), master.covers_options);
        if !equal(&right, mac) {
            return Err(Refusal::Signature);
        }
        self.keep(master.send_id, segment, key);
        self.heard = Some((key_id, rnext_key_id));
        if let Some(asked) = self.by_send_id(rnext_key_id) {
            self.current = asked; // step 2e
        }
        Ok(())
    }
}
