//! Declares groups and choices in one place: the structure, its names, its defaults, and the allowed values.

/// A type with choices: an enumeration with `#[derive(picovd::Choice)]`, or of [`choices!`](crate::choices), or an `Option` of one.
#[diagnostic::on_unimplemented(
    message = "a setting cannot be a `{Self}`",
    label = "is no choice",
    note = "a choice is an `enum` with `#[derive(picovd::Choice)]`",
    note = "other settings are integers, `bool`, `f32`, `f64`, `picovd::heapless::String<N>` and `picovd::settings::Secret<N>`"
)]
pub trait Choice {
    /// The names of its variants, in their order.
    const NAMES: &'static [&'static str];
}

impl<T: Choice> Choice for Option<T> {
    const NAMES: &'static [&'static str] = T::NAMES;
}

/// Declares an enumeration for settings, with the names of its variants.
///
/// ```
/// # extern crate picovd_sim;
/// picovd::choices! {
///     #[derive(Clone, Copy, Debug)]
///     enum Color { Red = "red", Green = "green" }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! choices {
    ($(#[$meta:meta])* $vis:vis enum $Enum:ident {
        $($(#[doc = $doc:literal])* $Variant:ident = $name:literal),+ $(,)?
    }) => {
        #[derive(::serde::Serialize, ::serde::Deserialize)]
        $(#[$meta])*
        $vis enum $Enum {
            $($(#[doc = $doc])* #[serde(rename = $name)] $Variant,)+
        }

        impl $crate::settings::Choice for $Enum {
            const NAMES: &'static [&'static str] = &[$($name),+];
        }
    };
}

/// Declares a [`Group`](crate::settings::Group) and its structure without a derive, which `#[derive(picovd::Settings)]` reads
/// better than: each field with its name, type, default, and allowed
/// values.
///
/// A field is set under its own name, so that names and fields cannot be confused. If a default is not allowed or has
/// another type, the compiler refuses it with a message that names the field. The structure may only grow at its end: a
/// field keeps its position and its type forever, even if it is renamed. At most 32 fields and 512 bytes.
///
/// The kinds of fields:
///
/// | | type | |
/// | --- | --- | --- |
/// | `boolean(about)` | `bool` | |
/// | `integer(least, most, about)` | an integer | both ends included |
/// | `number(about)` | `f32`, `f64` | finite |
/// | `text(least, most, about)` | [`heapless::String`], [`Secret`](crate::settings::Secret) | characters, both ends included; the default is a `&str` |
/// | `choice(about)` | an enumeration of [`choices!`](crate::choices) | |
///
/// Add `.or_null()` if the type is an `Option`, and `.secret()` if the value must not be shown. A
/// [rule](crate::settings::Rule) for all values together may follow the group's name: `static LAMP = "lamp", |lamp| ...;`.
///
/// ```
/// # extern crate picovd_sim;
/// use picovd::heapless::String;
/// use picovd::settings::Secret;
///
/// picovd::choices! {
///     #[derive(Clone, Copy)]
///     enum Color { Red = "red", Green = "green" }
/// }
///
/// picovd::group! {
///     static LAMP = "lamp";
///
///     struct Lamp {
///         interval: u16 = 10 => integer(1, 3600, "Seconds from one blink to the next."),
///         color: Color = Color::Green => choice("The color of its light."),
///         place: Option<String<8>> = None => text(1, 8, "Where it is.").or_null(),
///         password: Secret<32> = "" => text(0, 32, "What it logs in with.").secret(),
///     }
/// }
/// # fn main() {}
/// ```
#[macro_export]
macro_rules! group {
    (
        $(#[$group_meta:meta])* $group_vis:vis static $GROUP:ident = $group:literal $(, $rule:expr)?;
        $(#[$meta:meta])* $vis:vis struct $Struct:ident {
            $($(#[doc = $doc:literal])* $field_vis:vis $field:ident: $type:ty = $default:expr
                => $kind:ident($($argument:expr),+ $(,)?) $(.$modifier:ident())*),+ $(,)?
        }
    ) => {
        #[derive(::serde::Serialize, ::serde::Deserialize)]
        #[serde(default)]
        $(#[$meta])*
        $vis struct $Struct {
            $($(#[doc = $doc])* $field_vis $field: $type,)+
        }

        impl ::core::default::Default for $Struct {
            fn default() -> Self {
                Self { $($field: $crate::group!(@default $kind, $type, $default),)+ }
            }
        }

        $(#[$group_meta])*
        $group_vis static $GROUP: $crate::settings::Group<$Struct> = {
            const __PICOVD_FIELDS: &[$crate::settings::Field] = &[
                $($crate::group!(@field $kind, $field, $type, ($($argument),+)) $(.$modifier())*,)+
            ];
            $crate::settings::Group::declared($group, __PICOVD_FIELDS)$(.with_rule($rule))?
        };

        $(const _: () = {
            const __PICOVD_FIELD: $crate::settings::Field =
                $crate::group!(@field $kind, $field, $type, ($($argument),+)) $(.$modifier())*;
            const __PICOVD_DEFAULT: &$crate::group!(@type $kind, $type) = &$default;
            ::core::assert!(
                __PICOVD_FIELD.has_values(),
                ::core::concat!("setting `", ::core::stringify!($field), "`: no value is in its range: the smaller end comes first")
            );
            $crate::group!(@fits $kind, __PICOVD_FIELD, $field, $type);
            $crate::group!(@value __PICOVD_DEFAULT, ($($modifier)*), value => {
                ::core::assert!(
                    __PICOVD_FIELD.takes($crate::group!(@measure $kind, value, $type)),
                    ::core::concat!("setting `", ::core::stringify!($field), "`: it may not have its default")
                );
            });
        };)+
    };
    (@field choice, $field:ident, $type:ty, ($about:expr)) => {
        $crate::settings::Field::choice(
            ::core::stringify!($field),
            <$type as $crate::settings::Choice>::NAMES,
            $about,
        )
    };
    (@field $kind:ident, $field:ident, $type:ty, ($($argument:expr),+)) => {
        $crate::settings::Field::$kind(::core::stringify!($field), $($argument),+)
    };
    // The field's default, and the type it is written as.
    (@default text, $type:ty, $default:expr) => {
        <$type as $crate::settings::TextField>::from_default($default)
    };
    (@default $kind:ident, $type:ty, $default:expr) => {
        $default
    };
    (@type text, $type:ty) => { <$type as $crate::settings::TextField>::Default };
    (@type $kind:ident, $type:ty) => { $type };
    // A text's type has room for its longest value if each character is one byte.
    (@fits text, $FIELD:ident, $field:ident, $type:ty) => {
        ::core::assert!(
            $FIELD.fits(<$type as $crate::settings::TextField>::CAPACITY),
            ::core::concat!("setting `", ::core::stringify!($field), "`: its type has fewer bytes than it may have characters")
        );
    };
    (@fits integer, $FIELD:ident, $field:ident, $type:ty) => {
        ::core::assert!(
            $FIELD.is_within::<$type>(),
            ::core::concat!("setting `", ::core::stringify!($field), "`: its range ends beyond what its type can hold")
        );
    };
    (@fits $kind:ident, $FIELD:ident, $field:ident, $type:ty) => {};
    // The value of the default, if it is not null.
    (@value $default:ident, (), $value:ident => $check:block) => {{
        let $value = $default;
        $check
    }};
    (@value $default:ident, (or_null $($modifier:ident)*), $value:ident => $check:block) => {
        if let ::core::option::Option::Some($value) = $default $check
    };
    (@value $default:ident, ($other:ident $($modifier:ident)*), $value:ident => $check:block) => {
        $crate::group!(@value $default, ($($modifier)*), $value => $check)
    };
    // The property of a value that has limits.
    (@measure boolean, $value:ident, $type:ty) => {{
        let _: bool = *$value;
        0
    }};
    (@measure integer, $value:ident, $type:ty) => {
        *$value as i64
    };
    (@measure number, $value:ident, $type:ty) => {
        (*$value as f64).is_finite() as i64
    };
    (@measure text, $value:ident, $type:ty) => {
        $crate::settings::measure::<$type>($value)
    };
    (@measure choice, $value:ident, $type:ty) => {{
        let _ = $value;
        0
    }};
}
