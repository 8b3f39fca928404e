//! Long commands on narrow terminals: broken where a shell allows it, so that they can still be
//! copied and pasted.

/// Breaks a command line into lines of at most `width` columns. Each but the last ends with a
/// backslash; a word that is too long alone stays whole.
pub fn fold(command: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in words(command) {
        // Two columns are kept for the backslash, and two for the indent of a further line.
        let room = width.saturating_sub(if lines.len() > 1 { 4 } else { 2 });
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    let last = lines.len().saturating_sub(1);
    for line in &mut lines[..last] {
        line.push_str(" \\");
    }
    lines
}

/// The words of a command line, with their quotes.
fn words(command: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let mut start = None;
    let mut quote = None;
    let mut escaped = false;
    for (at, letter) in command.char_indices() {
        if letter == ' ' && quote.is_none() {
            words.extend(start.take().map(|start| &command[start..at]));
            continue;
        }
        start.get_or_insert(at);
        match quote {
            _ if escaped => escaped = false,
            Some('\'') | None if letter == '\\' => escaped = quote.is_none(),
            Some(open) if letter == open => quote = None,
            None if letter == '\'' || letter == '"' => quote = Some(letter),
            _ => {}
        }
    }
    words.extend(start.map(|start| &command[start..]));
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_command_stays_on_its_line() {
        assert_eq!(fold("chroot . bash", 80), ["chroot . bash"]);
    }

    #[test]
    fn a_long_command_is_broken_between_words_and_never_inside_quotes() {
        let folded = fold("chroot /tmp/somewhere bash -c 'echo a long line'", 24);
        assert_eq!(folded, ["chroot /tmp/somewhere \\", "bash -c \\", "'echo a long line'"]);
    }

    #[test]
    fn folding_loses_no_word() {
        let command = r#"a "b c" d\ e 'f g' h"#;
        let joined = fold(command, 6).join("\n").replace(" \\\n", " ");
        assert_eq!(joined, command);
    }
}
