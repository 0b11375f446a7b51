//! A change may ask for another way and other times than the manifest.

use super::*;
use crate::vd::{vd_add_file_with, vd_remove_file_with, vd_rename_file_with, vd_update_file_with};
use core::time::Duration;

/// A device with the manifest's way `attention`, with NOTE.TXT, mounted and ready.
fn noted() -> (Bench, &'static File<'static>) {
    let mut bench = Bench::new(Refresh::Attention);
    let (note, _) = file("NOTE.TXT", "hello");
    vd_add_file(bench.files, note).expect("there is room");
    bench.pass(1);
    bench.attach();
    (bench, note)
}

/// Milliseconds until the unit attention is reported, polling each millisecond.
fn until_notified(bench: &mut Bench, most: u64) -> Option<u64> {
    (1..=most).find(|_| {
        bench.pass(1);
        bench.ready() == Err((6, 0x28))
    })
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn each_way_may_be_asked_for_by_a_change() {
    let usual = announcing(Refresh::Attention);
    let ask = |refresh| {
        let (mut bench, note) = noted();
        vd_update_file_with(bench.files, note, usual.with_refresh(refresh)).expect("it is registered");
        bench.pass(502);
        bench
    };
    let mut bench = ask(Refresh::Attention);
    assert_eq!(bench.ready(), Err((6, 0x28)));

    let mut bench = ask(Refresh::Reinsert);
    assert_eq!(bench.ready(), Err((2, 0x3A)));
    bench.pass(2_502);
    assert_eq!((bench.ready(), bench.reconnects), (Err((6, 0x28)), 0));
    let mut bench = ask(Refresh::Reinsert);
    bench.pass(60_000);
    assert_eq!((bench.ready(), bench.reconnects), (Err((2, 0x3A)), 0), "it waits for the host to look");

    let mut bench = ask(Refresh::Auto);
    assert_eq!(bench.ready(), Err((2, 0x3A)));
    let mut bench_unseen = ask(Refresh::Auto);
    bench_unseen.pass(5_000);
    assert_eq!(bench_unseen.reconnects, 1);

    let mut bench_gone = ask(Refresh::Reconnect);
    assert_eq!((bench_gone.reconnects, bench_gone.ready()), (1, Err((6, 0x28))));

    // That is for this change only.
    for bench in [&mut bench, &mut bench_gone] {
        bench.pass(2_600);
        let _ = bench.ready();
        let (other, _) = file("OTHER.TXT", "other");
        vd_add_file(bench.files, other).expect("there is room");
        let reconnects = bench.reconnects;
        assert!(until_notified(bench, 11_000).is_some(), "by attention, which the manifest says");
        assert_eq!(bench.reconnects, reconnects);
    }
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn each_time_may_be_asked_for_by_a_change() {
    let usual = announcing(Refresh::Attention);
    let (mut bench, note) = noted();
    vd_update_file_with(bench.files, note, usual.with_quiet(Duration::from_millis(20))).expect("it is registered");
    assert_eq!(until_notified(&mut bench, 100), Some(21), "quiet, from the moment that the device noticed");
    vd_update_file_with(bench.files, note, usual.with_hold(Duration::from_millis(3_000))).expect("it is registered");
    assert_eq!(until_notified(&mut bench, 10_000), Some(3_000), "hold, shorter than the manifest's");
    vd_update_file_with(bench.files, note, usual.with_hold(Duration::from_millis(40_000))).expect("it is registered");
    assert_eq!(until_notified(&mut bench, 100_000), Some(40_000), "hold, longer than the manifest's");
    bench.pass(10_000);
    let told = (1..10_000u64).find(|turn| {
        if turn % 100 == 1 {
            vd_update_file_with(bench.files, note, usual.with_max_age(Duration::from_millis(1_500)))
                .expect("it is registered");
        }
        bench.pass(1);
        bench.ready() == Err((6, 0x28))
    });
    assert_eq!(told, Some(1_501), "max-age");
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn every_call_may_ask() {
    let at_once =
        announcing(Refresh::Attention).with_quiet(Duration::from_millis(0)).with_hold(Duration::from_millis(0));
    let (mut bench, note) = noted();
    let files = bench.files;
    let (other, _) = file("OTHER.TXT", "other");
    let (renamed, _) = file("RENAMED.TXT", "other");
    assert_eq!(vd_add_file_with(files, other, at_once), Ok(()));
    assert_eq!(until_notified(&mut bench, 10), Some(1));
    assert_eq!(vd_rename_file_with(files, other, renamed, at_once), Ok(()));
    assert_eq!(until_notified(&mut bench, 10), Some(1));
    assert_eq!(vd_remove_file_with(files, renamed, at_once), Ok(()));
    assert_eq!(until_notified(&mut bench, 10), Some(1));
    // A call that fails requests nothing.
    assert!(vd_add_file_with(files, note, at_once).is_err());
    assert!(vd_update_file_with(files, renamed, at_once).is_err());
    assert!(vd_rename_file_with(files, renamed, other, at_once).is_err());
    assert!(vd_rename_file_with(files, note, note, at_once).is_err());
    assert!(vd_remove_file_with(files, renamed, at_once).is_err());
    assert_eq!(until_notified(&mut bench, 20_000), None);
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn a_file_that_is_not_announced_is_when_a_change_asks_for_it() {
    let (mut bench, _) = noted();
    let content: &'static Text<'static> = Box::leak(Box::new(Text::new("log")));
    let log: &'static File<'static> = Box::leak(Box::new(File::new("LOG.TXT", content, 4096).unannounced()));
    vd_add_file(bench.files, log).expect("there is room");
    assert_eq!(until_notified(&mut bench, 20_000), None);
    vd_update_file_with(bench.files, log, announcing(Refresh::Attention).with_quiet(Duration::from_millis(0)))
        .expect("it is registered");
    assert_eq!(until_notified(&mut bench, 10), Some(1));
    assert_eq!(bench.contents("LOG.TXT"), b"log");
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn a_more_urgent_change_takes_those_along_that_wait() {
    let (mut bench, note) = noted();
    // The medium is away, and the host does not look.
    vd_update_file_with(bench.files, note, announcing(Refresh::Reinsert)).expect("it is registered");
    bench.pass(20_000);
    assert_eq!(bench.reconnects, 0);
    let (alarm, _) = file("ALARM.TXT", "now");
    vd_add_file_with(bench.files, alarm, announcing(Refresh::Reconnect)).expect("there is room");
    bench.pass(2);
    assert_eq!(bench.reconnects, 1);
    assert_eq!(bench.ready(), Err((6, 0x28)));
    assert_eq!(bench.listing().len(), 2);
    assert_eq!(until_notified(&mut bench, 30_000), None, "one announcement for both");
}
