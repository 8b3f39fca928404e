//! Long commands on narrow terminals: broken where a shell allows it, so that they can still be
//! copied and pasted.

/// Breaks a command line into lines of at most `width` columns. Between words, a line ends with a
/// backslash. A script in single quotes that is too long is broken after its `&&` and `;`, where a
/// shell takes the end of the line for a blank. Any other word that is too long stays whole.
pub fn fold(command: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<Line> = Vec::new();
    for word in words(command) {
        // Two columns are kept for the backslash, and two for the indent of a further line.
        let room = width.saturating_sub(if lines.len() > 1 { 4 } else { 2 });
        match lines.last_mut() {
            Some(line) if columns(&line.text) + 1 + columns(word) <= room => {
                line.text.push(' ');
                line.text.push_str(word);
            }
            _ if columns(word) > room => lines.extend(steps(word)),
            _ => lines.push(Line { text: word.to_owned(), is_inside_quotes: false }),
        }
    }
    let last = lines.len().saturating_sub(1);
    for line in lines[..last].iter_mut().filter(|line| !line.is_inside_quotes) {
        line.text.push_str(" \\");
    }
    lines.into_iter().map(|line| line.text).collect()
}

/// A line, and whether it ends within quotes: then it needs no backslash, and must not have one.
struct Line {
    text: String,
    is_inside_quotes: bool,
}

fn columns(text: &str) -> usize {
    text.chars().count()
}

/// The steps of a quoted script, each with the `&&` or `;` that ends it.
fn steps(word: &str) -> Vec<Line> {
    let mut lines: Vec<Line> = Vec::new();
    let mut rest = word;
    while let Some(at) = end_of_step(rest) {
        lines.push(Line { text: rest[..at].to_owned(), is_inside_quotes: true });
        rest = &rest[at + 1..];
    }
    lines.push(Line { text: rest.to_owned(), is_inside_quotes: false });
    // The quote mark takes one column, and what follows stands below the first word.
    for line in lines.iter_mut().skip(1) {
        line.text.insert(0, ' ');
    }
    lines
}

/// Where the blank is before which a line of script may end; between double quotes it may not.
fn end_of_step(script: &str) -> Option<usize> {
    let is_script = |at: usize| script[..at].matches('"').count() % 2 == 0;
    let ends = script.match_indices(" && ").map(|(at, _)| at + 3);
    let ends = ends.chain(script.match_indices("; ").map(|(at, _)| at + 1));
    ends.filter(|&at| is_script(at)).min()
}

/// How a quotation ends, and what a backslash means in it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Quote {
    Single,
    Double,
    /// `$'…'`, bash's own.
    Dollar,
}

/// The words of a command line, with their quotes.
fn words(command: &str) -> Vec<&str> {
    let mut words = Vec::new();
    let (mut start, mut quote, mut escaped, mut before) = (None, None, false, ' ');
    for (at, letter) in command.char_indices() {
        if letter == ' ' && quote.is_none() && !escaped {
            words.extend(start.take().map(|start| &command[start..at]));
            continue;
        }
        start.get_or_insert(at);
        match (quote, letter) {
            _ if escaped => escaped = false,
            (None | Some(Quote::Double | Quote::Dollar), '\\') => escaped = true,
            (Some(Quote::Single | Quote::Dollar), '\'') | (Some(Quote::Double), '"') => {
                quote = None;
            }
            (None, '\'') if before == '$' => quote = Some(Quote::Dollar),
            (None, '\'') => quote = Some(Quote::Single),
            (None, '"') => quote = Some(Quote::Double),
            _ => {}
        }
        before = letter;
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

    #[test]
    fn a_quoted_script_is_broken_after_its_steps() {
        let command = r#"bash -c 'mount none /proc && echo "one && two" && ls; true'"#;
        let folded = fold(command, 24);
        let expected =
            ["bash -c \\", "'mount none /proc &&", r#" echo "one && two" &&"#, " ls;", " true'"];
        assert_eq!(folded, expected);
    }

    #[test]
    fn within_dollar_quotes_no_line_ends_with_a_backslash() {
        let folded = fold(r"bash -c $'mount none /proc && grep \'a b\' c'", 24);
        assert_eq!(folded, ["bash -c \\", "$'mount none /proc &&", r" grep \'a b\' c'"]);
    }
}
