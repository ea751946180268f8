//! How a container wants to be told what it was given: an annotation of our own, a stranger's words. What is told is what its sandbox has
//! anyway, so nobody need allow it.

use super::{AnnotationError, Annotations, annotation_error::bounded};
use crate::config::Tell;

/// The annotation.
pub const TELL: &str = "vfhook.dev/tell";

/// How a container with these annotations is told; `usual` where it says nothing.
pub fn tell(annotations: &Annotations, usual: Tell) -> Result<Tell, AnnotationError> {
    let Some(value) = annotations.get(TELL) else { return Ok(usual) };
    let wrong = |why| AnnotationError::Tell { key: TELL, why };
    bounded(TELL, value)?.parse().map_err(wrong)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(value: &str) -> Result<Tell, AnnotationError> {
        tell(&Annotations::from([(TELL.to_owned(), value.to_owned())]), Tell::NOTHING)
    }

    #[test]
    fn what_a_container_says_counts_more_than_what_is_usual() {
        let usual = Tell { file: true, environment: true };
        assert_eq!(tell(&Annotations::new(), usual).unwrap(), usual);
        let off = Annotations::from([(TELL.to_owned(), "off".to_owned())]);
        assert_eq!(tell(&off, usual).unwrap(), Tell::NOTHING);
        assert_eq!(told("file").unwrap(), Tell { file: true, environment: false });
    }

    #[test]
    fn hostile_words_are_refused_in_one_line() {
        for value in
            ["", "file=/etc/shadow", "../../run", "environment,\u{1b}[2J", "FILE", "file off"]
        {
            let message = told(value).unwrap_err().to_string();
            assert!(message.contains(TELL) && !message.contains(char::is_control), "{message}");
        }
        let message = told(&"file,".repeat(1 << 18)).unwrap_err().to_string();
        assert!(message.len() < 200 && message.contains("bytes"), "{message}");
    }

    proptest! {
        #[test]
        fn whatever_is_given_a_refusal_is_one_printable_line(value in ".*") {
            if let Err(error) = told(&value) {
                let message = error.to_string();
                prop_assert!(!message.contains(char::is_control) && message.len() < 600, "{message}");
            }
        }
    }
}
