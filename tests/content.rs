//! Words and questions are checked like code: every step has its passages, every passage and
//! every anchor is used, every question is complete, every include of the book resolves.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use workbench::lesson::Lesson;
use workbench::lessons::{cgroups, chroot, namespaces};
use workbench::quiz::{self, Choice};
use workbench::words::{names, passage, split_heading};

fn check_words<W>(lesson: &Lesson<W>) {
    let always = ["opening", "closing", "as-root", "as-user", "shell-outside", "shell-inside"];
    // The last lesson needs no right to a container.
    let of_containers = (lesson.name != "cgroups").then_some("as-root-without-rights");
    let always = always.into_iter().chain(of_containers);
    // Only where something can be killed or deleted for good.
    let always = always.chain((lesson.name != "chroot").then_some("stage-set-again"));
    let mut needed: BTreeSet<String> = always.map(str::to_owned).collect();
    for experiment in lesson.experiments {
        needed.insert(format!("{}-leaves", experiment.id));
        needed.extend(experiment.rounds.iter().map(|round| format!("{}-fix", round.id)));
        for step in experiment.steps() {
            needed.extend(["", "-why", "-hint"].map(|part| format!("{step}{part}")));
            let words = passage(lesson.words, step).unwrap();
            assert!(split_heading(&words).0.is_some(), "{step} begins without a heading");
        }
    }
    let written: Vec<String> = names(lesson.words).into_iter().map(str::to_owned).collect();
    let unique: BTreeSet<String> = written.iter().cloned().collect();
    assert_eq!(unique.len(), written.len(), "a passage is written twice");
    assert_eq!(unique, needed, "passages that are written, and passages that are spoken");
    for name in &written {
        // mdBook's own pattern for a name; anything else it would render as nothing.
        let is_plain = |letter: char| letter.is_alphanumeric() || "_-".contains(letter);
        assert!(name.chars().all(is_plain), "mdBook does not know the anchor {name}");
        assert_is_closed(lesson.words, name);
        assert!(!passage(lesson.words, name).unwrap().is_empty(), "{name} is empty");
    }
}

#[track_caller]
fn assert_is_closed(text: &str, name: &str) {
    let end = format!("ANCHOR_END: {name}");
    let ends = text.lines().filter(|line| line.trim().trim_end_matches(" -->").ends_with(&end));
    assert_eq!(ends.count(), 1, "{name} is not closed once");
}

fn check_code<W>(lesson: &Lesson<W>) {
    let steps: BTreeSet<&str> = lesson.steps().into_iter().collect();
    let own = |(file, _): &&(&'static str, &'static str)| file.starts_with("lessons/");
    let own: Vec<&str> = lesson.sources.iter().filter(own).map(|(_, text)| *text).collect();
    let anchors: BTreeSet<&str> = own.iter().flat_map(|text| names(text)).collect();
    assert_eq!(steps, anchors, "the steps, and the anchors in the lesson's source");
    let calls = lesson.experiments.iter().flat_map(|experiment| experiment.calls);
    for anchor in steps.iter().chain(calls) {
        let found: Vec<String> =
            lesson.sources.iter().filter_map(|(_, text)| passage(text, anchor)).collect();
        assert_eq!(found.len(), 1, "{anchor} stands {} times in the sources", found.len());
        let code = &found[0];
        assert!(
            code.starts_with("///") && code.ends_with('}'),
            "{anchor} is no whole item:\n{code}"
        );
        assert_eq!(code.matches('{').count(), code.matches('}').count(), "{anchor} is cut");
    }
    for (file, text) in lesson.sources {
        let here = Path::new(env!("CARGO_MANIFEST_DIR")).join(file);
        assert_eq!(&fs::read_to_string(here).unwrap(), text, "{file} is another file");
        for anchor in names(text) {
            assert_is_closed(text, anchor);
        }
    }
}

fn check_questions<W>(lesson: &Lesson<W>) {
    let questions = quiz::parse(lesson.quiz).unwrap();
    let ids: BTreeSet<&str> = questions.iter().map(|question| question.id.as_str()).collect();
    assert_eq!(ids.len(), questions.len(), "an id stands twice");
    for step in lesson.steps() {
        let asked = questions.iter().filter(|question| question.asks_before(step)).count();
        assert_eq!(asked, 1, "step {step} asks {asked} questions");
    }
    let mut places = BTreeSet::new();
    for question in &questions {
        let id = &question.id;
        assert!(question.is_complete(), "{id}: a distractor without its reason");
        let choices = question.choices();
        let is_right = |choice: &&Choice| choice.wrong_because.is_none();
        assert_eq!(choices.iter().filter(is_right).count(), 1, "{id}");
        assert!(choices.len() >= 2 && choices.iter().all(|choice| !choice.text.is_empty()));
        let texts: BTreeSet<&str> = choices.iter().map(|choice| choice.text).collect();
        assert_eq!(texts.len(), choices.len(), "{id}: two choices say the same");
        places.insert(choices.iter().position(|choice| choice.wrong_because.is_none()));
        for trick in ["NOT", "none of the above", "all of the above"] {
            assert!(!question.prompt().contains(trick), "{id}: a trick question");
        }
    }
    assert!(places.len() > 1, "the right answer always stands at the same place");
}

fn check<W>(lesson: &Lesson<W>) {
    check_words(lesson);
    check_code(lesson);
    check_questions(lesson);
    check_chapter(lesson);
}

#[test]
fn every_lesson_is_complete() {
    check(&chroot::LESSON);
    check(&namespaces::LESSON);
    check(&cgroups::LESSON);
}

#[test]
fn a_damaged_quiz_is_an_error_with_its_line() {
    let broken = chroot::LESSON.quiz.replacen("misconception = ", "misconceptoin = ", 1);
    let error = format!("{:#}", quiz::parse(&broken).unwrap_err());
    assert!(error.contains("line ") && error.contains("misconception"), "{error}");
}

/// Every sentence of the book that comes from elsewhere does come from there.
#[test]
fn every_include_of_the_book_resolves() {
    let book = Path::new(env!("CARGO_MANIFEST_DIR")).join("book/src");
    let mut includes = 0;
    for chapter in chapters(&book) {
        let text = fs::read_to_string(&chapter).unwrap();
        for include in text.split("{{#").skip(1).map(|rest| rest.split("}}").next().unwrap()) {
            let target = include.split_whitespace().nth(1).unwrap();
            let (file, anchor) = target.split_once(':').unwrap_or((target, ""));
            let file = chapter.parent().unwrap().join(file);
            let source = fs::read_to_string(&file).unwrap_or_else(|error| {
                panic!("{}: {}: {error}", chapter.display(), file.display())
            });
            if anchor.starts_with(|letter: char| letter.is_ascii_alphabetic()) {
                assert_is_closed(&source, anchor);
                let found = passage(&source, anchor);
                assert!(found.is_some_and(|text| !text.is_empty()), "{target} is empty");
            }
            includes += 1;
        }
    }
    assert!(includes > 20, "the book includes only {includes} passages");
}

/// Every step of a lesson has its place in its chapter: its words, its code.
fn check_chapter<W>(lesson: &Lesson<W>) {
    let chapter = format!("book/src/{}.md", lesson.name);
    let chapter = Path::new(env!("CARGO_MANIFEST_DIR")).join(chapter);
    let chapter = fs::read_to_string(chapter).unwrap();
    let words = names(lesson.words).into_iter();
    for passage in words.filter(|name| {
        !name.ends_with("-hint")
            && !["as-", "shell-", "stage-"].iter().any(|start| name.starts_with(start))
    }) {
        assert!(
            chapter.contains(&format!("words.md:{passage}}}}}")),
            "{passage} is not in the book"
        );
    }
    for step in lesson.steps() {
        assert!(
            chapter.contains(&format!(".rs:{step}}}}}")),
            "the code of {step} is not in the book"
        );
    }
}

/// What the README shows as a transcript is one.
#[test]
fn the_readme_shows_what_the_program_prints() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let readme = fs::read_to_string(here.join("README.md")).unwrap();
    let snapshot = fs::read_to_string(here.join("tests/snapshots/chroot-root-human.snap")).unwrap();
    let shown = passage(&readme, "transcript").unwrap();
    let mut lines = 0;
    for line in shown.lines().filter(|line| !line.starts_with("```") && !line.is_empty()) {
        assert!(snapshot.contains(line), "the program does not print this line: {line}");
        lines += 1;
    }
    assert!(lines > 10);
}

/// Each command that README or book tell people to type is one that the program knows.
#[test]
fn every_command_that_is_told_exists() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = chapters(&here.join("book/src"));
    files.push(here.join("README.md"));
    let mut told = 0;
    for file in files {
        let text = fs::read_to_string(&file).unwrap();
        for line in text.lines().map(|line| line.trim_start_matches("$ ").trim()) {
            let Some(args) = line.strip_prefix("workbench ") else { continue };
            if !args.starts_with(|letter: char| letter.is_ascii_lowercase()) {
                continue;
            }
            let args = args.split('#').next().unwrap().split_whitespace();
            let words = std::iter::once("workbench").chain(args);
            let parsed = <workbench::cli::Cli as clap::Parser>::try_parse_from(words);
            assert!(parsed.is_ok(), "{}: {line}: {}", file.display(), parsed.unwrap_err());
            told += 1;
        }
    }
    assert!(told > 3, "only {told} commands are told");
}

fn chapters(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.filter(|path| path.extension().is_some_and(|ending| ending == "md")).collect()
}
