//! Turns nft's text into facts: each rule by its table, its chain and its place in the chain. Pure.

/// Every line as (where, text). The text comes from `nft --stateless`, so it has no counters and no timeouts.
pub(crate) fn rules(text: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut stack: Vec<(String, usize)> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if line == "}" {
            stack.pop();
            continue;
        }
        if let Some(opened) = line.strip_suffix('{') {
            let opened = opened.trim().to_owned();
            // A table or chain with nothing in it is a trace too.
            found.push((path(&stack, &opened), "present".to_owned()));
            stack.push((opened, 0));
            continue;
        }
        let number = stack.last_mut().map_or(0, |(_, count)| {
            *count += 1;
            *count
        });
        found.push((path(&stack, &format!("#{number}")), line.to_owned()));
    }
    found
}

fn path(stack: &[(String, usize)], last: &str) -> String {
    stack.iter().map(|(name, _)| name.as_str()).chain([last]).collect::<Vec<_>>().join(" / ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rule_is_known_by_its_chain_and_its_place() {
        let text = "# Warning: managed by iptables-nft\ntable ip nat {\n\tchain POSTROUTING {\n\t\ttype nat hook postrouting priority srcnat; policy accept;\n\t\tmasquerade\n\t}\n}\ntable ip empty {\n}\n";
        let expected = [
            ("table ip nat", "present"),
            ("table ip nat / chain POSTROUTING", "present"),
            (
                "table ip nat / chain POSTROUTING / #1",
                "type nat hook postrouting priority srcnat; policy accept;",
            ),
            ("table ip nat / chain POSTROUTING / #2", "masquerade"),
            ("table ip empty", "present"),
        ]
        .map(|(place, rule)| (place.to_owned(), rule.to_owned()));
        assert_eq!(rules(text), expected);
    }
}
