//! What the server needs of a protocol: bytes in, bytes out. Sockets are the server's, the device is the bus's.

use super::bus::{Bus, Completion};

/// What a message from the other end asks of the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All that came was dealt with.
    Stay,
    /// One message was dealt with, and there may be another.
    More,
    /// The other end wants the device: the server either calls [`Front::plug`] or [`Front::refuse`].
    Claim,
    /// As [`More`](Self::More), with something that a watching person may want to know.
    Say(String),
    /// The conversation is over.
    Close,
}

/// One connection's end of a protocol.
pub trait Front {
    /// What is said before the other end says anything.
    fn greet(&mut self, out: &mut Vec<u8>);

    /// Takes bytes from the other end, and handles at most one message.
    ///
    /// # Errors
    ///
    /// A sentence, when the other end breaks the protocol: the connection is of no use any more.
    fn receive(&mut self, bytes: &[u8], bus: &mut Bus, out: &mut Vec<u8>) -> Result<Verdict, String>;

    /// The device is there, freshly enumerated. Returns whether the other end has it now.
    fn plug(&mut self, bus: &Bus, out: &mut Vec<u8>) -> bool;

    /// The device has left the bus by itself. Returns whether the connection is still good for its return.
    fn unplug(&mut self, out: &mut Vec<u8>) -> bool;

    /// The other end cannot have the device: somebody else has it, or it does not answer.
    fn refuse(&mut self, out: &mut Vec<u8>);

    /// A transfer has ended.
    fn complete(&mut self, completion: &Completion, bus: &mut Bus, out: &mut Vec<u8>);
}
