//! A JSON object whose values stay the text that they are, for whoever changes one of them and nothing else. Knows no document.

use std::{collections::BTreeSet, fmt};

use serde::{
    Deserialize, Deserializer,
    de::{self, MapAccess, Visitor},
};
use serde_json::value::RawValue;

/// An object with its members in their order. One that has a name twice means different things to different readers, and is refused.
pub(crate) struct JsonMembers<'a>(pub(crate) Vec<(String, &'a RawValue)>);

impl<'a> JsonMembers<'a> {
    pub(crate) fn get(&self, name: &str) -> Option<&'a RawValue> {
        self.0.iter().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// The object of this name; an empty one where there is none.
    pub(crate) fn object(&self, name: &str) -> Result<Self, serde_json::Error> {
        let Some(value) = self.get(name) else { return Ok(Self(Vec::new())) };
        let found: Option<JsonMembers> = serde_json::from_str(value.get())?;
        Ok(found.unwrap_or(Self(Vec::new())))
    }

    /// The list of this name; an empty one where there is none.
    pub(crate) fn list(&self, name: &str) -> Result<Vec<&'a RawValue>, serde_json::Error> {
        let Some(value) = self.get(name) else { return Ok(Vec::new()) };
        let found: Option<Vec<&'a RawValue>> = serde_json::from_str(value.get())?;
        Ok(found.unwrap_or_default())
    }

    /// The object's text with `value` in place of what it has under `name`, or at its end.
    pub(crate) fn with(&self, name: &str, value: &RawValue) -> Result<String, serde_json::Error> {
        let mut members: Vec<(&str, &RawValue)> =
            self.0.iter().map(|(name, value)| (&**name, *value)).collect();
        match members.iter_mut().find(|(known, _)| *known == name) {
            Some(member) => member.1 = value,
            None => members.push((name, value)),
        }
        let member = |(name, value): &(&str, &RawValue)| {
            Ok(format!("{}:{}", serde_json::to_string(name)?, value.get()))
        };
        let members = members.iter().map(member).collect::<Result<Vec<_>, serde_json::Error>>()?;
        Ok(format!("{{{}}}", members.join(",")))
    }
}

impl<'de> Deserialize<'de> for JsonMembers<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = JsonMembers<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members: Vec<(String, &'de RawValue)> = Vec::new();
                let mut names = BTreeSet::new();
                while let Some((name, value)) = map.next_entry::<String, &'de RawValue>()? {
                    if !names.insert(name.clone()) {
                        let twice = super::quote(&name);
                        return Err(de::Error::custom(format!("{twice} is there twice")));
                    }
                    members.push((name, value));
                }
                Ok(JsonMembers(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}
