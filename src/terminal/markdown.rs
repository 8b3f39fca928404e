//! Markdown as lines for a terminal: paragraphs, lists, quotations, code.

use std::borrow::Cow;

use colored::Colorize;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use textwrap::{Options, WordSeparator, WordSplitter};

/// Renders a passage in lines of at most `width` columns. Comments are left out, headings are
/// for the caller to show.
pub fn render(markdown: &str, width: usize, quotation: Quotation) -> Vec<String> {
    let mut page = Page { width, quotation, ..Page::default() };
    for event in Parser::new(markdown) {
        page.take(event);
    }
    page.lines
}

/// How a quotation is set off.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Quotation {
    /// By a bar at its left.
    #[default]
    Bar,
    /// By a word at its beginning, for those who listen.
    Word,
}

#[derive(Default)]
struct Page {
    width: usize,
    quotation: Quotation,
    lines: Vec<String>,
    paragraph: String,
    quoted: bool,
    in_code: bool,
    /// For each open list, the number of its next item; `None` for bullets.
    lists: Vec<Option<u64>>,
    marker: Option<String>,
    emphasis: Vec<Emphasis>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Emphasis {
    Strong,
    Light,
}

impl Page {
    fn take(&mut self, event: Event) {
        match event {
            Event::Text(text) if self.in_code => self.code_lines(&text),
            Event::Text(text) => self.text(&text),
            Event::Code(code) => {
                self.paragraph.push_str(&format!("`{code}`").cyan().to_string());
            }
            Event::SoftBreak | Event::HardBreak => self.paragraph.push(' '),
            Event::Start(tag) => self.open(&tag),
            Event::End(tag) => self.close(tag),
            _ => {}
        }
    }

    fn open(&mut self, tag: &Tag) {
        match tag {
            Tag::BlockQuote(_) => self.quoted = true,
            Tag::CodeBlock(_) => {
                self.in_code = true;
                self.blank_line();
            }
            Tag::List(start) => self.lists.push(*start),
            Tag::Item => self.marker = Some(self.next_marker()),
            Tag::Emphasis => self.emphasis.push(Emphasis::Light),
            Tag::Strong => self.emphasis.push(Emphasis::Strong),
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Paragraph | TagEnd::Heading(_) | TagEnd::Item => self.flush(),
            TagEnd::BlockQuote(_) => self.quoted = false,
            TagEnd::CodeBlock => self.in_code = false,
            TagEnd::List(_) => {
                self.lists.pop();
            }
            TagEnd::Emphasis | TagEnd::Strong => {
                self.emphasis.pop();
            }
            _ => {}
        }
    }

    fn text(&mut self, text: &str) {
        let shown = match self.emphasis.last() {
            Some(Emphasis::Strong) => text.bold().to_string(),
            Some(Emphasis::Light) => text.italic().to_string(),
            None => text.to_owned(),
        };
        self.paragraph.push_str(&shown);
    }

    fn code_lines(&mut self, text: &str) {
        self.lines.extend(text.lines().map(|line| format!("    {}", line.cyan())));
    }

    fn next_marker(&mut self) -> String {
        match self.lists.last_mut() {
            Some(Some(number)) => {
                *number += 1;
                format!("{}. ", *number - 1)
            }
            _ => "- ".to_owned(),
        }
    }

    fn flush(&mut self) {
        let mut text = std::mem::take(&mut self.paragraph);
        if text.is_empty() {
            return;
        }
        let marker = self.marker.take();
        if marker.is_none() {
            self.blank_line();
        }
        let first = marker.unwrap_or_default();
        let mut rest = " ".repeat(first.len());
        let mut first = first;
        if self.quoted {
            match self.quotation {
                Quotation::Bar => (first, rest) = ("│ ".to_owned(), "│ ".to_owned()),
                Quotation::Word => text.insert_str(0, "Note: "),
            }
        }
        self.lines.extend(wrap(&text, self.width, &first, &rest));
    }

    fn blank_line(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(String::new());
        }
    }
}

/// Breaks a text at blanks, and nowhere else as long as the words fit.
pub fn wrap(text: &str, width: usize, first: &str, rest: &str) -> Vec<String> {
    let options = Options::new(width)
        .initial_indent(first)
        .subsequent_indent(rest)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        // A path that is cut cannot be copied.
        .break_words(false);
    textwrap::wrap(text, options).into_iter().map(Cow::into_owned).collect()
}
