//! Names that vfhook takes, made of those that others gave. Pure.

use super::{Place, Remark};
use crate::types::{Invalid, Name, quote};

/// The longest name, as a label of DNS.
const LONGEST: usize = 63;

/// `text` of a-z, 0-9 and dashes; a change is told.
pub(super) fn of(text: &str, place: &Place, remarks: &mut Vec<Remark>) -> Result<Name, Remark> {
    let letter = |letter: char| {
        if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' }
    };
    let name: String = text.chars().map(letter).collect();
    let name = name.trim_matches('-');
    let name = name.get(..LONGEST).unwrap_or(name).trim_end_matches('-');
    let found = quote(text);
    let name: Name = name.parse().map_err(|_| {
        place.remark(format!("the name {found}: nothing of it is left in a-z, 0-9 and dashes"))
    })?;
    if name.as_str() != text {
        remarks.push(place.remark(format!("the name {found}: here \"{name}\"")));
    }
    Ok(name)
}

/// The name of alternative `number`; the first one has no number.
pub(super) fn numbered(name: &Name, number: usize) -> Result<Name, Invalid> {
    if number == 1 {
        return Ok(name.clone());
    }
    let end = format!("-{number}");
    let begin = name.as_str();
    let begin = begin.get(..LONGEST - end.len()).unwrap_or(begin).trim_end_matches('-');
    format!("{begin}{end}").parse()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others() {
        let long = "x".repeat(80);
        for (text, expected) in [
            ("intel_sriov_netdevice", Some("intel-sriov-netdevice")),
            ("Net.A", Some("net-a")),
            ("-a-", Some("a")),
            ("_", None),
            (&long, Some(&long[..63])),
        ] {
            let mut remarks = Vec::new();
            let name = of(text, &Place::new("f", 1), &mut remarks);
            assert_eq!(name.as_ref().map(Name::as_str).ok(), expected, "{text}");
            assert_eq!(remarks.len(), usize::from(expected.is_some()), "{text}");
        }
        let name: Name = long[..63].parse().unwrap();
        assert_eq!(numbered(&name, 12).unwrap().as_str(), format!("{}-12", &long[..60]));
    }
}
