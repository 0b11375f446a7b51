//! What `serve` takes for its connections: nothing that stays, and no more than so much at a time.

use std::alloc::{GlobalAlloc, Layout, System};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicIsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use picovd_sim::plug;
use picovd_sim::serve::{self, ListenAddress, Options};

/// The system's allocator, which counts what is in use.
struct Counted;

static IN_USE: AtomicIsize = AtomicIsize::new(0);

// SAFETY: the system's allocator does it all.
unsafe impl GlobalAlloc for Counted {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        IN_USE.fetch_add(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: by the trait's contract.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        IN_USE.fetch_sub(layout.size() as isize, Ordering::Relaxed);
        // SAFETY: by the trait's contract.
        unsafe { System.dealloc(place, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counted = Counted;

/// Connections at a time, as the README says.
const CONNECTIONS: usize = 8;

/// A hello of usbredir (usb-redir-protocol.txt), without capabilities.
fn hello() -> Vec<u8> {
    let mut message: Vec<u8> = [0_u32, 68, 0].iter().flat_map(|word| word.to_le_bytes()).collect();
    message.resize(12 + 68, 0);
    message
}

/// What came within a while; `None` when the other end has closed.
fn heard(socket: &mut TcpStream, enough: usize) -> Option<usize> {
    socket.set_read_timeout(Some(Duration::from_millis(300))).expect("a socket");
    let (mut total, mut buffer) = (0, [0; 4096]);
    while total < enough {
        match socket.read(&mut buffer) {
            Ok(0) => return None,
            Ok(length) => total += length,
            Err(_) => break,
        }
    }
    Some(total)
}

/// A hello of ours, its tables of endpoints and interfaces, and the device.
const PLUGGED: usize = (12 + 68) + (12 + 96) + (12 + 132) + (12 + 8);

/// All in one test: the allocator counts for the whole process.
#[test]
fn a_connection_leaves_nothing_and_others_do_not_pile_up() {
    let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/manifests/settings.toml");
    let address: SocketAddr =
        TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port");
    let stop = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&stop);
    let server = thread::spawn(move || {
        let plug = plug::open(Some(&manifest), None).expect("a right manifest");
        let options = Options { usbredir: Some(ListenAddress::Tcp(address)), quiet: true, ..Options::default() };
        let mut log = Vec::new();
        serve::run(plug.link, &options, &flag, &mut log).map(|()| String::from_utf8(log).expect("text"))
    });
    let connect = || {
        let end = Instant::now() + Duration::from_secs(60);
        loop {
            match TcpStream::connect(address) {
                Ok(socket) => return socket,
                Err(error) => assert!(Instant::now() < end, "{error}"),
            }
            thread::sleep(Duration::from_millis(10));
        }
    };
    let take = || {
        let end = Instant::now() + Duration::from_secs(30);
        // The one before has to be gone.
        loop {
            let mut socket = connect();
            socket.write_all(&hello()).expect("it listens");
            match heard(&mut socket, PLUGGED) {
                Some(PLUGGED) => return,
                other => assert!(Instant::now() < end, "{other:?} bytes"),
            }
        }
    };
    (0..5).for_each(|_| take());
    let before = IN_USE.load(Ordering::Relaxed);
    const MORE: isize = 40;
    (0..MORE).for_each(|_| take());
    thread::sleep(Duration::from_millis(200));
    let each = (IN_USE.load(Ordering::Relaxed) - before) / MORE;
    assert!(each < 1024, "{each} bytes of each connection stay");

    // Many that say nothing: some are taken, and closed in time; the others are closed at once.
    let mut silent: Vec<TcpStream> = (0..3 * CONNECTIONS).map(|_| connect()).collect();
    thread::sleep(Duration::from_millis(500));
    let open = silent.iter_mut().filter_map(|socket| heard(socket, PLUGGED)).count();
    assert!(open <= CONNECTIONS, "{open} are open");
    thread::sleep(Duration::from_secs(11));
    let open = silent.iter_mut().filter_map(|socket| heard(socket, PLUGGED)).count();
    assert_eq!(open, 0, "they have said nothing");
    take();

    // One that requests more than is ever sent: reads from a console that prints nothing.
    let mut greedy = connect();
    greedy.write_all(&hello()).expect("it listens");
    assert_eq!(heard(&mut greedy, PLUGGED), Some(PLUGGED));
    let configure: Vec<u8> = [6_u32, 1, 7].iter().flat_map(|word| word.to_le_bytes()).chain([1]).collect();
    greedy.write_all(&configure).expect("it listens");
    let mut closed = false;
    for id in 0..20_000_u32 {
        // A bulk packet: type, length, id; endpoint, status, length, stream.
        let mut message: Vec<u8> = [101, 8, id].iter().flat_map(|word| word.to_le_bytes()).collect();
        message.extend([0x81, 0, 64, 0, 0, 0, 0, 0]);
        closed = greedy.write_all(&message).is_err();
        if closed {
            break;
        }
    }
    closed |= heard(&mut greedy, usize::MAX).is_none();
    assert!(closed, "it may ask without end");
    take();

    stop.store(true, Ordering::Relaxed);
    let log = server.join().expect("no panic").expect("no error");
    for said in ["too many transfers", "connection refused", "it has not requested the device"] {
        assert!(log.contains(said), "{said}: {log}");
    }
}
