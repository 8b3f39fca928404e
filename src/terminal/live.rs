//! How busy everybody is, while something is measured; and afterwards, before and after.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use anyhow::Result;
use colored::Colorize;

use super::page::{Look, Page, is_dumb};
use crate::meter::{Bar, Sample};
use crate::observation::in_unit;

/// How wide a bar may be, and how narrow.
const WIDEST: usize = 50;
const NARROWEST: usize = 5;
/// What stands beside a bar: a label before it, a figure behind it.
const BESIDE: usize = 28;

/// The lines that are being redrawn.
#[derive(Debug, Default)]
pub struct Live {
    /// How many stand there, to be overwritten.
    drawn: usize,
    /// When a line was written last, where nothing can be overwritten.
    told: Option<Duration>,
}

impl Live {
    /// Shows how things stand. On a terminal, the lines before are overwritten; elsewhere, there
    /// is one line for each second.
    ///
    /// # Errors
    /// When nobody reads any more.
    pub fn show(&mut self, page: &mut Page, sample: &Sample) -> Result<()> {
        if page.look == Look::Human && io::stdout().is_terminal() && !is_dumb() {
            return self.redraw(page, sample);
        }
        let second = Duration::from_secs(sample.elapsed.as_secs());
        if self.told.unwrap_or_default() < second && !sample.is_last {
            self.told = Some(second);
            page.line(&as_a_line(sample))?;
        }
        if sample.is_last {
            self.told = None;
        }
        Ok(())
    }

    fn redraw(&mut self, page: &mut Page, sample: &Sample) -> Result<()> {
        if self.drawn == 0 {
            page.gap()?;
        } else {
            // Up to the first of our lines: ECMA-48, "cursor preceding line".
            write!(page.out, "\x1b[{}F", self.drawn)?;
        }
        let room = page.width().saturating_sub(BESIDE).clamp(NARROWEST, WIDEST);
        for Bar { label, share } in &sample.bars {
            let figure = in_unit(share * 100.0, "%");
            // What was longer before is erased to the end of the line.
            write!(page.out, "\x1b[K")?;
            page.line(&row(label, *share, room, &figure))?;
        }
        page.out.flush()?;
        self.drawn = if sample.is_last { 0 } else { sample.bars.len() };
        Ok(())
    }
}

/// `after 2 s: cpu 0 99 %, cpu 1 100 %, sandbox 5 %`
fn as_a_line(Sample { elapsed, bars, .. }: &Sample) -> String {
    let each = bars.iter().map(|Bar { label, share }| format!("{label} {:.0} %", share * 100.0));
    format!("after {} s: {}", elapsed.as_secs(), each.collect::<Vec<_>>().join(", "))
}

/// What was measured in the steps of an experiment, one below the other.
///
/// # Errors
/// When nobody reads any more.
pub fn compare(page: &mut Page, rows: &[(&'static str, f64, String)]) -> Result<()> {
    // A percentage has a whole of its own; anything else is compared with the largest.
    let whole = if rows.iter().all(|(_, _, unit)| unit == "%") { 100.0 } else { 0.0 };
    let most = rows.iter().fold(whole, |most: f64, (_, value, _)| most.max(*value));
    let room = page.width().saturating_sub(BESIDE).clamp(NARROWEST, WIDEST);
    page.gap()?;
    for (step, value, unit) in rows {
        let figure = in_unit(*value, unit);
        match page.look {
            Look::Human => page.line(&row(step, value / most.max(f64::EPSILON), room, &figure))?,
            Look::Plain => page.line(&format!("measured in {step}: {figure}"))?,
        }
    }
    Ok(())
}

/// A label, a bar and a figure.
fn row(label: &str, share: f64, room: usize, figure: &str) -> String {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let eighths = (share.clamp(0.0, 1.0) * room as f64 * 8.0).round() as usize;
    let part = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"][eighths % 8];
    let bar = format!("{}{part}", "█".repeat(eighths / 8));
    format!("  {} {} {figure}", format!("{label:<12}").dimmed(), bar.cyan())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_its_share() {
        colored::control::set_override(false);
        assert_eq!(row("cap", 0.5, 4, "5.0 %"), "  cap          ██ 5.0 %");
        assert_eq!(row("cap", 0.05, 10, "5.0 %"), "  cap          ▌ 5.0 %");
        assert_eq!(row("cap", 7.0, 2, "x"), "  cap          ██ x");
    }
}
