//! Where to listen, and what a person has to type at the other end.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// The port that `usbip` asks unless told otherwise.
const USBIP_PORT: u16 = 3240;

/// A place to listen at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A TCP address.
    Tcp(SocketAddr),
    /// A Unix socket.
    Path(PathBuf),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => write!(f, "{address}"),
            Self::Path(path) => write!(f, "{}", path.display()),
        }
    }
}

/// What `serve` was told.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Offer the device by usbredir.
    pub usbredir: Option<Place>,
    /// Offer the device by USB/IP.
    pub usbip: Option<Place>,
    /// Addresses other than loopback are meant.
    pub listen_anywhere: bool,
    /// A file that gets one line per command, tab-separated: name, LBA, blocks, bytes, status.
    pub record: Option<PathBuf>,
    /// A folder that gets every file as the manifest promises it, but for live ones.
    pub truth: Option<PathBuf>,
    /// A folder whose files are dynamic files, see [`mirror`](super::mirror).
    pub live: Option<PathBuf>,
    /// Let an application print, see [`chatter`](crate::chatter).
    pub print: bool,
    /// Numbered lines, and how many a second, in place of what it says else.
    pub lines: Option<(u32, u32)>,
    /// Leave out the line per command.
    pub quiet: bool,
}

impl Options {
    /// Reads a place for usbredir: ADDRESS:PORT, or the path of a Unix socket.
    pub fn set_usbredir(&mut self, word: &str) {
        self.usbredir = Some(word.parse().map_or_else(|_| Place::Path(word.into()), Place::Tcp));
    }

    /// Reads a place for USB/IP: ADDRESS or ADDRESS:PORT.
    ///
    /// # Errors
    ///
    /// A sentence, when the word is no address.
    pub fn set_usbip(&mut self, word: &str) -> Result<(), String> {
        let address = word
            .parse()
            .or_else(|_| word.parse().map(|ip| SocketAddr::new(ip, USBIP_PORT)))
            .map_err(|_| format!("`{word}` is no address; for example 127.0.0.1:{USBIP_PORT}"))?;
        self.usbip = Some(Place::Tcp(address));
        Ok(())
    }

    /// Reads how many lines to print, and how many a second: COUNT/RATE.
    ///
    /// # Errors
    ///
    /// A sentence, when the word is something else.
    pub fn set_lines(&mut self, word: &str) -> Result<(), String> {
        let parsed = || {
            let (lines, rate) = word.split_once('/')?;
            Some((lines.parse().ok()?, rate.parse().ok().filter(|rate| (1..=1_000_000).contains(rate))?))
        };
        let lines = parsed().ok_or_else(|| format!("`{word}` is no number of lines; for example 1000/20"))?;
        (self.print, self.lines) = (true, Some(lines));
        Ok(())
    }

    /// Holds the options against each other.
    ///
    /// # Errors
    ///
    /// A sentence: nothing to listen on, or an address that others reach without `--listen-anywhere`.
    pub fn check(&self) -> Result<(), String> {
        let places = [&self.usbredir, &self.usbip];
        if places.iter().all(|place| place.is_none()) {
            return Err("serve needs --usbredir SOCKET or --usbip ADDRESS:PORT".to_owned());
        }
        for place in places.into_iter().flatten() {
            if let Place::Tcp(address) = place
                && !address.ip().is_loopback()
                && !self.listen_anywhere
            {
                return Err(format!(
                    "{address} can be reached from other machines, which may then use the device: \
                     say --listen-anywhere if that is meant"
                ));
            }
        }
        Ok(())
    }

    /// The commands that attach the device, for a person to paste.
    #[must_use]
    pub fn how_to_attach(&self) -> String {
        let mut text = String::new();
        if let Some(place) = &self.usbredir {
            let chardev = match place {
                Place::Tcp(address) => format!("socket,id=picovd,host={},port={}", address.ip(), address.port()),
                Place::Path(path) => {
                    let path = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                    format!("socket,id=picovd,path={}", path.display())
                }
            };
            text += &format!(
                "usbredir on {place}. For a virtual machine, add to QEMU's command line:\n\
                 \x20   -device qemu-xhci -chardev {chardev} -device usb-redir,chardev=picovd\n\
                 or type into the monitor of one that runs (and has a USB controller):\n\
                 \x20   chardev-add {chardev}\n\
                 \x20   device_add usb-redir,chardev=picovd,id=picovd\n"
            );
        }
        if let Some(Place::Tcp(address)) = &self.usbip {
            let port = match address.port() {
                USBIP_PORT => String::new(),
                port => format!("--tcp-port {port} "),
            };
            let host = if address.ip().is_unspecified() { "ADDRESS".to_owned() } else { address.ip().to_string() };
            text += &format!(
                "USB/IP on {address}. On Linux (Debian package usbip):\n\
                 \x20   sudo modprobe vhci-hcd\n\
                 \x20   sudo usbip {port}attach --remote={host} --busid={}\n\
                 and to unplug it, with the port number that `sudo usbip port` shows:\n\
                 \x20   sudo usbip detach --port=00\n",
                super::usbip::BUS_ID
            );
        }
        text + "Ctrl-C stops.\n"
    }
}

#[cfg(test)]
mod tests {
    use super::Options;

    #[test]
    fn only_loopback_unless_told_otherwise() {
        let mut options = Options::default();
        assert!(options.check().is_err());
        options.set_usbip("127.0.0.1").unwrap();
        assert!(options.check().is_ok());
        assert!(options.how_to_attach().contains("usbip attach --remote=127.0.0.1 --busid=1-1"));
        options.set_usbip("0.0.0.0:1234").unwrap();
        assert!(options.check().is_err());
        options.listen_anywhere = true;
        assert!(options.check().is_ok());
        assert!(options.set_usbip("nonsense").is_err());
        options.set_lines("1000/20").unwrap();
        assert_eq!((options.print, options.lines), (true, Some((1000, 20))));
        for wrong in ["", "1000", "1000/0", "x/1", "1/x"] {
            assert!(options.set_lines(wrong).is_err(), "{wrong}");
        }
    }
}
