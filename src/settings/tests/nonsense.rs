//! Payloads that no firmware has written.

use super::*;
use crate::settings::hash::hash;
use proptest::sample::Index;

/// Groups as they are kept (src/settings/payload.rs).
fn kept(groups: &[(&str, Vec<u8>)]) -> Kept {
    let mut bytes = Vec::new();
    for (name, group) in groups {
        bytes.extend(hash(name).to_le_bytes());
        bytes.extend((group.len() as u16).to_le_bytes());
        bytes.extend(group);
    }
    bytes.truncate(MAX_PAYLOAD);
    Kept(Arc::new(Mutex::new(Some(bytes))))
}

/// Lines that set every field but the lock, and the answers to `get` afterwards.
const VALUES: [(&str, &str); 13] = [
    ("label", "\"LAB7\""),
    ("exposed", "[\"FLASH.BIN\"]"),
    ("refresh", "\"reinsert\""),
    ("quiet", "0"),
    ("max-age", "3600000"),
    ("hold", "7"),
    ("manufacturer", "\"Somebody\""),
    ("product", "\"Something\""),
    ("interval", "60"),
    ("password", "\"hunter2\""),
    ("unit", "\"kelvin\""),
    ("offset", "-1.5"),
    ("place", "\"ROOF\""),
];

/// Everything can be read, set and saved, whatever was there, in whatever order.
fn is_usable(kept: &Kept, first: usize) {
    let settings = power(*PLAN, kept);
    settings.add(&NEW).unwrap();
    if settings.is_locked() {
        return;
    }
    let get = |name: &str| ask(settings, &format!("get {name}"));
    for field in settings.sections().flat_map(|(_, section)| section.fields()) {
        let answer = get(field.name);
        let value = answer.strip_prefix(&format!("{{\"{}\":", field.name)).and_then(|rest| rest.strip_suffix('}'));
        let value = value.unwrap_or_else(|| panic!("{answer}"));
        // Of the manifest's own defaults, labels among them, only the form matters here.
        assert!(field.secret || field.check(value.as_bytes()).is_ok(), "{answer}");
    }
    // The interval before the unit: kelvin does not go with every one.
    for (name, value) in VALUES.iter().cycle().skip(first).take(13) {
        assert_eq!(ask(settings, &format!("set {{\"{name}\":{value}}}")), SET, "{name}");
        let shown = if *name == "password" { "\"set\"" } else { value };
        assert_eq!(get(name), format!("{{\"{name}\":{shown}}}"));
    }
    assert_eq!(ask(settings, "save"), r#"{"ok":"save","saved":true}"#);
    let again = power(*PLAN, kept);
    again.add(&NEW).unwrap();
    assert_eq!(ask(again, "get place"), r#"{"place":"ROOF"}"#);
    assert_eq!(NEW.lend(again, |new| new.password.clone()), "hunter2");
}

/// A payload that is kept.
#[derive(Clone, Debug)]
enum Payload {
    Any(Vec<u8>),
    /// Groups by their names: the stick's, the program's, another program's.
    Groups(Vec<(&'static str, Vec<u8>)>),
    /// A right one with some bytes changed.
    Changed(Vec<(Index, u8)>),
}

fn payload() -> impl Strategy<Value = Payload> {
    // Small numbers are lengths that fit.
    let bytes = |most: usize| prop_oneof![vec(0..8_u8, 0..most), vec(any::<u8>(), 0..most)];
    let noise = || prop_oneof![bytes(4), bytes(40), bytes(505), bytes(1002)];
    prop_oneof![
        noise().prop_map(Payload::Any),
        (noise(), noise()).prop_map(|(own, app)| Payload::Groups(vec![("picovd", own), ("app", app)])),
        [noise(), noise(), noise()]
            .prop_map(|groups| { Payload::Groups(["app", "other", "app"].into_iter().zip(groups).collect()) }),
        vec((any::<Index>(), any::<u8>()), 1..=6).prop_map(Payload::Changed),
    ]
}

#[test]
#[cfg_attr(miri, ignore = "takes minutes in Miri")]
fn whatever_is_kept_settings_stay_usable() {
    // What a right firmware keeps.
    let right = Kept::default();
    is_usable(&right, 0);
    let right = right.0.lock().unwrap().clone().unwrap();
    Cases { count: 3000, seed: 0 }.check((payload(), 0..9_usize), |(payload, first)| {
        let kept = match payload {
            Payload::Any(bytes) => Kept(Arc::new(Mutex::new(Some(bytes)))),
            Payload::Groups(groups) => kept(&groups),
            Payload::Changed(changes) => {
                let mut bytes = right.clone();
                for (at, byte) in changes {
                    *at.get_mut(&mut bytes) = byte;
                }
                Kept(Arc::new(Mutex::new(Some(bytes))))
            }
        };
        is_usable(&kept, first);
    });
}

#[test]
fn a_field_that_is_nonsense_leaves_the_others() {
    // Interval 60, password "pw", unit kelvin, offset 2.0, place "ROOF", as postcard writes them.
    let right: [&[u8]; 5] = [b"\x3C", b"\x02pw", b"\x01", b"\0\0\0\x40", b"\x01\x04ROOF"];
    let new = |parts: &[&[u8]]| {
        let settings = power(*PLAN, &kept(&[("app", parts.concat())]));
        settings.add(&NEW).unwrap();
        NEW.lend(settings, Clone::clone)
    };
    let expected = New {
        interval: 60,
        password: super::text("pw"),
        unit: Unit::Kelvin,
        offset: 2.0,
        place: Some(super::text("ROOF")),
    };
    assert_eq!(new(&right), expected);
    let defaults = New::default();
    for (index, wrong) in [
        (0, &b"\0"[..]),
        (0, b"\xFF\xFF\xFF"),
        (1, b"\x02\xFF\xFE"),
        (1, b"\x11seventeen letters"),
        (2, b"\x09"),
        (3, b"\0\0\xC0\x7F"),
        (4, b"\x07"),
        (4, b"\x01\0"),
    ] {
        let mut parts = right;
        parts[index] = wrong;
        let (mut expected, defaults) = (expected.clone(), defaults.clone());
        match index {
            0 => expected.interval = defaults.interval,
            1 => expected.password = defaults.password,
            2 => expected.unit = defaults.unit,
            3 => expected.offset = defaults.offset,
            _ => expected.place = defaults.place,
        }
        assert_eq!(new(&parts), expected, "field {index}: {wrong:02x?}");
    }
    // All at once, and what is longer than all of the rest.
    assert_eq!(new(&[b"\0", b"\x02\xFF\xFE", b"\x09", b"\0\0\xC0\x7F", b"\x07"]), defaults);
    assert_eq!(new(&[b"\x3C", b"\x7Fpw", b"\x01"]), New { interval: 60, ..defaults });
    // What the structure's rule forbids goes by the field that it names.
    assert_eq!(
        new(&[b"\x01", right[1], right[2], right[3], right[4]]),
        New { interval: 1, unit: Unit::Celsius, ..expected }
    );
}

/// A lock that is neither true nor false does not lock.
#[test]
fn a_lock_that_is_nonsense_is_none() {
    for (lock, locked) in [(0, false), (1, true), (2, false), (0xFF, false)] {
        let settings = power(*PLAN, &kept(&[("picovd", vec![0, 0, 0, 0, 0, 0, 0, 0, lock])]));
        assert_eq!(settings.is_locked(), locked, "{lock}");
    }
}
