//! Members of a body that this program does not know, kept through every rewrite.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

/// Members of a body that a newer program wrote and this one does not know.
///
/// A program that rewrites a body gives them back: members of the body itself always, members of an object inside it
/// as long as the rewrite leaves all that this program knows of that object as it was. An object that changed, such
/// as the lease of another owner, is a new one, and members of the former one would say something wrong about it.
///
/// ```
/// use serde_json::json;
/// use septet_registry::Unknown;
///
/// #[derive(serde::Serialize, serde::Deserialize)]
/// struct Lane { lane: u32 }
///
/// let (lane, unknown) = Unknown::read::<Lane>(&json!({"lane": 3, "colour": "red"}))?;
/// let next = Lane { lane: lane.lane + 1 };
/// assert_eq!(unknown.write(&next)?, json!({"lane": 4, "colour": "red"}));
/// # Ok::<_, serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unknown {
    /// The members, each inside the objects that it was found in.
    members: Map<String, Value>,
    /// What this program knew of the body; empty if it knew all of it.
    known: Map<String, Value>,
}

impl Unknown {
    /// Reads a body as a value, together with the members that the value does not hold.
    pub fn read<T: Serialize + DeserializeOwned>(body: &Value) -> serde_json::Result<(T, Self)> {
        let value = T::deserialize(body)?;
        let unknown = Self::beside(&value, body)?;
        Ok((value, unknown))
    }

    /// Returns the members of a body that a value does not hold.
    pub fn beside<T: Serialize>(value: &T, body: &Value) -> serde_json::Result<Self> {
        let (Value::Object(body), Value::Object(known)) = (body, serde_json::to_value(value)?) else {
            return Ok(Self::default());
        };
        let members = unknown(body, &known);
        Ok(if members.is_empty() { Self::default() } else { Self { members, known } })
    }

    /// Writes a value as a body, with these members in their places.
    pub fn write<T: Serialize>(&self, value: &T) -> serde_json::Result<Value> {
        let mut body = serde_json::to_value(value)?;
        if let Value::Object(body) = &mut body {
            carry(&self.members, &self.known, body, true);
        }
        Ok(body)
    }
}

fn unknown(body: &Map<String, Value>, known: &Map<String, Value>) -> Map<String, Value> {
    let members = body.iter().filter_map(|(name, value)| match (known.get(name), value) {
        (None, value) => Some((name.clone(), value.clone())),
        (Some(Value::Object(known)), Value::Object(value)) => {
            let inner = unknown(value, known);
            (!inner.is_empty()).then(|| (name.clone(), Value::Object(inner)))
        }
        _ => None,
    });
    members.collect()
}

/// Adds the members to an object; those of the object itself only where they still say something `true` about it.
fn carry(
    members: &Map<String, Value>,
    known: &Map<String, Value>,
    object: &mut Map<String, Value>,
    same: bool,
) {
    for (name, member) in members {
        match (known.get(name), object.get_mut(name), member) {
            (None, None, _) if same => drop(object.insert(name.clone(), member.clone())),
            (Some(Value::Object(known)), Some(Value::Object(object)), Value::Object(members)) => {
                let same = known == object;
                carry(members, known, object, same);
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Lease {
        owner: String,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Progress {
        pages: u32,
        lease: Option<Lease>,
    }

    #[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
    struct Window {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        lease: Option<Lease>,
        progress: Progress,
    }

    fn body() -> Value {
        json!({
            "lease": {"owner": "a", "host": "h-1"}, "colour": {"red": [1, null]},
            "progress": {"pages": 1, "lease": {"owner": "b", "host": "h-2"}, "bytes": 9},
        })
    }

    fn rewritten(change: fn(&mut Window)) -> Value {
        let (mut window, unknown) = Unknown::read::<Window>(&body()).unwrap();
        change(&mut window);
        unknown.write(&window).unwrap()
    }

    #[test]
    fn a_body_that_does_not_change_is_written_as_it_was_read() {
        assert_eq!(rewritten(|_| ()), body());
        let plain = json!({"progress": {"pages": 1, "lease": null}});
        let (window, unknown) = Unknown::read::<Window>(&plain).unwrap();
        assert_eq!((unknown.write(&window).unwrap(), unknown), (plain, Unknown::default()));
    }

    #[test]
    fn members_of_an_object_go_with_what_it_says() {
        let mut expected = body();
        expected["lease"] = json!({"owner": "c"});
        let taken = rewritten(|window| window.lease = Some(Lease { owner: "c".into() }));
        assert_eq!(taken, expected, "another's lease has nothing of the one before");

        let mut expected = body();
        expected["progress"] = json!({"pages": 2, "lease": {"owner": "b", "host": "h-2"}});
        assert_eq!(rewritten(|window| window.progress.pages = 2), expected);

        let mut expected = body();
        expected.as_object_mut().unwrap().remove("lease");
        assert_eq!(rewritten(|window| window.lease = None), expected, "what is gone does not come back");
    }

    #[test]
    fn what_was_carried_once_is_carried_again() {
        let (mut window, unknown) = Unknown::read::<Window>(&body()).unwrap();
        window.progress.pages = 2;
        let second = unknown.write(&window).unwrap();
        let unknown = Unknown::beside(&window, &second).unwrap();
        assert_eq!(unknown.write(&window).unwrap(), second);
        assert_eq!(second["colour"], json!({"red": [1, null]}));
    }
}
