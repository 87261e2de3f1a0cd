//! What every page is made of.

use deepq::run::RunStatus;

use super::again;
use super::data::{RunData, Video};
use super::markup::Markup;
use super::scale::{count, score};

/// A whole document.
pub(super) fn document(title: &str, body: &Markup) -> String {
    let mut page = Markup::default();
    page.raw("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\"/>\n");
    page.raw("<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'; media-src data:\"/>\n");
    page.raw("<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n");
    page.raw("<meta name=\"color-scheme\" content=\"light dark\"/>\n");
    page.raw("<title>").text(title).raw("</title>\n<style>\n");
    page.raw(include_str!("page.css")).raw(super::chart::STYLE).raw("</style>\n</head>\n<body>\n<main>\n");
    page.append(body).raw("</main>\n<footer>Made by deepq ").text(env!("CARGO_PKG_VERSION"));
    page.raw(
        ". This page is complete in itself: it can be sent, kept and printed.</footer>\n</body>\n</html>\n",
    );
    page.into_string()
}

/// A section with its heading.
pub(super) fn section(heading: &str, content: &Markup) -> Markup {
    let mut section = Markup::default();
    section.raw("<section>\n<h2>").text(heading).raw("</h2>\n").append(content).raw("</section>\n");
    section
}

/// Key figures: label, value, and a word on it.
pub(super) fn figures(figures: &[(&str, String, String)]) -> Markup {
    let mut list = Markup::default();
    list.raw("<dl class=\"figures\">\n");
    for (label, value, note) in figures {
        list.raw("<div><dt>").text(label).raw("</dt><dd>").text(value);
        if !note.is_empty() {
            list.raw("<small>").text(note).raw("</small>");
        }
        list.raw("</dd></div>\n");
    }
    list.raw("</dl>\n");
    list
}

/// A word on how a run stands.
pub(super) fn status_word(run: &RunData) -> &'static str {
    match run.info.status {
        RunStatus::Running => "not finished",
        RunStatus::Finished => "finished",
        RunStatus::Interrupted => "interrupted",
        RunStatus::Failed => "failed",
    }
}

/// What is to be known of a run that did not come to its end.
pub(super) fn banner(run: &RunData) -> Markup {
    let mut banner = Markup::default();
    let steps = count(run.progress().0);
    let (heading, text) = match run.info.status {
        RunStatus::Finished => return banner,
        RunStatus::Running => (
            "This run is not finished.",
            format!("It is still training, or was killed. What is shown ends after {steps} env steps."),
        ),
        RunStatus::Interrupted => (
            "This run was interrupted.",
            format!("It was stopped after {steps} env steps, before its end. Its policy was not judged."),
        ),
        RunStatus::Failed => ("This run failed.", format!("It ended after {steps} env steps.")),
    };
    banner.raw("<div class=\"banner\" role=\"note\"><p><strong>").text(heading).raw("</strong> ");
    banner.text(text).raw("</p>\n");
    if let Some(error) = &run.info.error {
        banner.raw("<pre>").text(error).raw("</pre>\n");
    }
    banner.raw("</div>\n");
    banner
}

/// Videos, embedded in the page.
pub(super) fn videos(videos: &[Video], left_out: usize) -> Markup {
    let mut markup = Markup::default();
    markup.raw("<div class=\"videos\">\n");
    for video in videos {
        markup.raw("<figure>\n<video width=\"640\" height=\"480\" controls>\n");
        markup.raw("<source src=\"data:video/mp4;base64,").base64(&video.bytes);
        markup.raw("\" type=\"video/mp4\">\n</video>\n<figcaption>Episode ").text(video.number);
        if let Some(listed) = &video.listed {
            if let Some(value) = listed.episodic_return {
                markup.text(": return ").text(score(value)).text(",");
            }
            markup.text(format_args!(" {} steps", count(u64::from(listed.length))));
        }
        markup.raw("</figcaption>\n</figure>\n");
    }
    markup.raw("</div>\n");
    if left_out > 0 {
        let are = if left_out == 1 { "video is" } else { "videos are" };
        markup.paragraph(format_args!("{left_out} more {are} in the run's folder videos/."));
    }
    markup
}

/// How to make a run again.
pub(super) fn reproduce(run: &RunData) -> Markup {
    let info = &run.info;
    let mut markup = Markup::default();
    match again::training_again(&info.command, &info.preset, info.seed) {
        Some(command) => {
            markup
                .paragraph("This command trains it again, to the same bytes with the same version of deepq:");
            code(&mut markup, &again::command_line(&command));
        }
        None => {
            markup.paragraph("The run was not begun by deepq train. Its preset, to which changes may have been made, and its seed:");
            let command =
                ["deepq", "train", &info.env, "--preset", &info.preset, "--seed", &info.seed.to_string()];
            code(&mut markup, &again::command_line(&command.map(String::from)));
        }
    }
    if !info.command.is_empty() {
        markup.paragraph("The command as it was given:");
        code(&mut markup, &again::command_line(&info.command));
    }
    let facts = [
        ("Version", format!("deepq {}", info.deepq)),
        ("Host", format!("{}, {}", info.host, info.instruction_set)),
        ("Seed", info.seed.to_string()),
        ("Began", info.started_at.clone()),
    ];
    markup.raw("<dl class=\"facts\">\n");
    for (label, value) in facts {
        markup.raw("<div><dt>").text(label).raw("</dt><dd>").text(value).raw("</dd></div>\n");
    }
    markup.raw("</dl>\n");
    markup
}

/// A command on lines of its own.
pub(super) fn code(markup: &mut Markup, text: &str) {
    markup.raw("<pre class=\"command\"><code>").text(text).raw("</code></pre>\n");
}

/// `config.toml`, every default written out.
pub(super) fn configuration(run: &RunData) -> Markup {
    let mut markup = Markup::default();
    markup.raw("<details open=\"open\"><summary>config.toml, every default written out</summary>\n<pre class=\"config\"><code>");
    markup.text(run.config_text.trim_end()).raw("</code></pre>\n</details>\n");
    markup
}
