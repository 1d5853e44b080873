//! What the demonstration asks for.

/// Prompts after the first.
pub const COUNT: usize = THINGS.len() * COLOURS.len();

const THINGS: [&str; 10] = ["apple", "house", "car", "fish", "tree", "star", "heart", "flower", "balloon", "umbrella"];

const COLOURS: [&str; 4] = ["red", "green", "blue", "yellow"];

/// All of them, each once; neighbours differ in thing and colour.
pub fn all() -> Vec<String> {
    let pair = |at: usize| (COLOURS[(at + at / THINGS.len()) % COLOURS.len()], THINGS[at % THINGS.len()]);
    (0..COUNT).map(pair).map(|(colour, thing)| format!("a {colour} {thing}")).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    #[test]
    fn forty_different_prompts() {
        let all = super::all();
        assert_eq!((all.len(), super::COUNT), (40, 40));
        assert_eq!(all.iter().collect::<HashSet<_>>().len(), 40);
    }
}
