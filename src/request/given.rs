//! Networks that a container was given as CDI devices, beside what its annotations ask for. Whether it may have them is for
//! [`super::resolve`] to judge.

use super::{
    AnnotationError, Annotations, Asked, NetworkRequest, SERVICE_PATH,
    annotation::service_path_off, annotation_error::MOST,
};
use crate::types::Name;

/// What a container is to have that was given `devices`, each once: those, and what annotations were heeded for. `None` when that is nothing. A
/// device of which an annotation speaks is given once, as that says.
pub fn asked_with(
    annotations: &Annotations,
    said: Option<Asked>,
    devices: Vec<Name>,
) -> Result<Option<Asked>, AnnotationError> {
    if devices.is_empty() {
        return Ok(said);
    }
    let opt_out = annotations.get(SERVICE_PATH).map(String::as_str);
    let service_path_off = service_path_off(opt_out)?;
    let (mut networks, wording) =
        said.map(|said| (said.networks, said.wording)).unwrap_or_default();
    for device in devices {
        match networks.iter_mut().find(|asked| asked.network == device) {
            Some(asked) => asked.by_cdi = true,
            None => {
                networks.push(NetworkRequest { by_cdi: true, ..NetworkRequest::plain(device) });
            }
        }
    }
    if networks.len() > MOST {
        return Err(AnnotationError::TooManyGiven(networks.len()));
    }
    Ok(Some(Asked { networks, service_path_off, wording }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::networks;

    /// What is asked for in the end: each network with what stands beside it.
    fn given(annotation: Option<&str>, by_annotation: bool, devices: &[&str]) -> Vec<String> {
        let said = annotation.filter(|_| by_annotation).map(|value| networks(value).unwrap());
        let devices = devices.iter().map(|name| name.parse().unwrap()).collect();
        let asked =
            asked_with(&Annotations::new(), said.map(Asked::by_own_words), devices).unwrap();
        let networks = asked.into_iter().flat_map(|asked| asked.networks);
        let shown = |asked: NetworkRequest| {
            let interface = asked.interface.map_or_else(String::new, |name| format!("@{name}"));
            format!("{}{interface}{}", asked.network, if asked.by_cdi { " given" } else { "" })
        };
        networks.map(shown).collect()
    }

    #[test]
    fn devices_come_beside_what_annotations_ask_for() {
        assert_eq!(given(None, true, &[]), [""; 0]);
        assert_eq!(given(None, false, &["a", "b"]), ["a given", "b given"]);
        assert_eq!(given(Some("b"), true, &["a"]), ["b", "a given"]);
        assert_eq!(given(Some("b"), false, &["a"]), ["a given"]);
        assert_eq!(given(Some("b"), false, &[]), [""; 0]);
    }

    #[test]
    fn an_annotation_says_how_a_device_is_given() {
        assert_eq!(given(Some("a@x,b"), true, &["a"]), ["a@x given", "b"]);
        // The device is one; the other interface is a request like any.
        assert_eq!(given(Some("a@x,a@y"), true, &["a"]), ["a@x given", "a@y"]);
    }

    #[test]
    fn no_way_around_a_limit() {
        let devices = (0..17).map(|number| format!("n{number}").parse().unwrap()).collect();
        let asked = asked_with(&Annotations::new(), None, devices);
        assert!(matches!(asked, Err(AnnotationError::TooManyGiven(17))), "{asked:?}");
    }

    #[test]
    fn the_service_path_is_the_containers_own_choice() {
        let off = Annotations::from([(SERVICE_PATH.to_owned(), "off".to_owned())]);
        let asked = asked_with(&off, None, vec!["a".parse().unwrap()]).unwrap().unwrap();
        assert!(asked.service_path_off);
    }
}
