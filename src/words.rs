//! Passages between anchors, the same that the book includes.
//!
//! `ANCHOR: name` and `ANCHOR_END: name` stand in comments of Markdown and of Rust, so one file
//! serves the terminal and mdBook alike.

/// The lines between `ANCHOR: name` and `ANCHOR_END: name`, without any anchor in them.
pub fn passage(text: &str, name: &str) -> Option<String> {
    let mut lines = text.lines().skip_while(|line| anchor(line, "ANCHOR:") != Some(name));
    lines.next()?;
    let inside = lines.take_while(|line| anchor(line, "ANCHOR_END:") != Some(name));
    let kept: Vec<&str> = inside.filter(|line| !is_anchor(line)).collect();
    Some(without_indentation(&kept).trim_matches('\n').to_owned())
}

/// A method stands further right in its file than it has to here.
fn without_indentation(lines: &[&str]) -> String {
    let indented = lines.iter().filter(|line| !line.trim().is_empty());
    let least = indented.map(|line| line.len() - line.trim_start().len()).min().unwrap_or(0);
    let moved: Vec<&str> = lines.iter().map(|line| line.get(least..).unwrap_or("")).collect();
    moved.join("\n")
}

/// The names of all passages, in their order.
pub fn names(text: &str) -> Vec<&str> {
    text.lines().filter_map(|line| anchor(line, "ANCHOR:")).collect()
}

/// The first heading of a passage, and the rest of it.
pub fn split_heading(passage: &str) -> (Option<&str>, &str) {
    let (first, rest) = passage.split_once('\n').unwrap_or((passage, ""));
    match first.strip_prefix('#') {
        Some(heading) => (Some(heading.trim_start_matches('#').trim()), rest.trim_start()),
        None => (None, passage),
    }
}

fn is_anchor(line: &str) -> bool {
    anchor(line, "ANCHOR:").or_else(|| anchor(line, "ANCHOR_END:")).is_some()
}

fn anchor<'a>(line: &'a str, word: &str) -> Option<&'a str> {
    let line = line.trim();
    let comment = line.strip_prefix("//").or_else(|| line.strip_prefix("<!--"))?;
    comment.trim_end_matches("-->").trim().strip_prefix(word).map(str::trim)
}
