//! Values that may be absent, as the wire has them: each in a message of its own. Converts; knows no meaning.

use protobuf::MessageField;

use crate::wire::nri as wire;

macro_rules! optional {
    ($($message:ident: $kind:ty, $read:ident, $write:ident;)+) => {$(
        pub(crate) fn $read(field: MessageField<wire::$message>) -> Option<$kind> {
            field.into_option().map(|message| message.value)
        }

        pub(crate) fn $write(value: Option<$kind>) -> MessageField<wire::$message> {
            value.map(|value| wire::$message { value, ..wire::$message::default() }).into()
        }
    )+};
}

optional! {
    OptionalInt: i64, int, put_int;
    OptionalUInt64: u64, unsigned, put_unsigned;
    OptionalUInt32: u32, small, put_small;
    OptionalBool: bool, flag, put_flag;
    OptionalString: String, text, put_text;
    OptionalTexts: Vec<String>, texts, put_texts;
}
