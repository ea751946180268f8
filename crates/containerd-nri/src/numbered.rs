//! Enumerations that the other side may know more values of. A value with no name here is kept as its number.

/// Declares one: its variants with their numbers on the wire, and `Other` for the rest.
macro_rules! numbered {
    ($(#[$doc:meta])* $name:ident { $($(#[$note:meta])* $variant:ident = $number:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum $name {
            $($(#[$note])* $variant,)+
            /// One that this crate does not know, by its number on the wire.
            Other(i32),
        }

        impl $name {
            /// The one with this number on the wire.
            pub const fn from_number(number: i32) -> Self {
                match number {
                    $($number => Self::$variant,)+
                    other => Self::Other(other),
                }
            }

            /// Its number on the wire.
            pub const fn number(self) -> i32 {
                match self {
                    $(Self::$variant => $number,)+
                    Self::Other(number) => number,
                }
            }
        }

        #[cfg(feature = "serde")]
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                match self {
                    $(Self::$variant => to.serialize_str(stringify!($variant)),)+
                    Self::Other(number) => to.serialize_i32(*number),
                }
            }
        }

        #[cfg(feature = "serde")]
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                const NAMES: &[(&str, i32)] = &[$((stringify!($variant), $number)),+];
                let number = from.deserialize_any($crate::as_text::NameOrNumber { names: NAMES })?;
                Ok(Self::from_number(number))
            }
        }

        impl Default for $name {
            fn default() -> Self {
                Self::from_number(0)
            }
        }
    };
}

pub(crate) use numbered;
