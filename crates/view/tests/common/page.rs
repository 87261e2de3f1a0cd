//! A page read back.
#![allow(dead_code, reason = "each test program uses a part")]

use roxmltree::{Document, Node, ParsingOptions};

/// The page as XML. It is written so that it is both, but for the video's tags, which are the notebook's.
pub(crate) fn xml(page: &str) -> String {
    page.replace("height=\"480\" controls>", "height=\"480\" controls=\"\">")
        .replace("type=\"video/mp4\">", "type=\"video/mp4\"/>")
}

pub(crate) fn parse(xml: &str) -> Document<'_> {
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    Document::parse_with_options(xml, options).unwrap_or_else(|error| {
        let line = xml.lines().nth(error.pos().row as usize - 1).unwrap_or_default();
        panic!("{error}: {}", line.chars().take(300).collect::<String>())
    })
}

pub(crate) fn all<'a>(document: &'a Document<'a>, name: &'static str) -> Vec<Node<'a, 'a>> {
    document.descendants().filter(|node| node.tag_name().name() == name).collect()
}

pub(crate) fn text(node: Node<'_, '_>) -> String {
    node.descendants().filter(|node| node.is_text()).filter_map(|node| node.text()).collect()
}

/// What must hold of every page, whatever the run is.
pub(crate) fn check(page: &str) {
    let xml = xml(page);
    let document = parse(&xml);
    assert_eq!(document.root_element().attribute("lang"), Some("en"));
    assert_eq!(all(&document, "h1").len(), 1);
    assert_eq!(all(&document, "title").len(), 1);
    const ELEMENTS: &str = "html head meta title style body main footer header section h1 h2 p span small strong div dl dt dd figure figcaption svg g path circle text video source table thead tbody tr th td details summary pre code";
    const ATTRIBUTES: &str = "lang charset http-equiv content name class viewBox role aria-label d x y r cx cy transform text-anchor width height controls src type scope open";
    for node in document.descendants().filter(Node::is_element) {
        let name = node.tag_name().name();
        assert!(ELEMENTS.split(' ').any(|known| known == name), "<{name}>");
        for attribute in node.attributes() {
            let attribute = attribute.name();
            assert!(ATTRIBUTES.split(' ').any(|known| known == attribute), "<{name} {attribute}>");
        }
        if name == "svg" {
            assert!(node.attribute("aria-label").is_some_and(|label| !label.is_empty()));
            assert!(
                !text(node).contains("NaN")
                    && !node.descendants().any(|inner| inner
                        .attribute("d")
                        .is_some_and(|d| d.contains("NaN") || d.contains("inf")))
            );
        }
        if name == "source" {
            assert!(node.attribute("src").unwrap().starts_with("data:video/mp4;base64,"));
        }
    }
    let policy = all(&document, "meta")
        .into_iter()
        .find(|meta| meta.attribute("http-equiv") == Some("Content-Security-Policy"));
    assert_eq!(
        policy.unwrap().attribute("content"),
        Some("default-src 'none'; style-src 'unsafe-inline'; media-src data:")
    );
    let addresses = page.replace("http://www.w3.org/2000/svg", "");
    assert!(!addresses.contains("http://") && !addresses.contains("https://") && !page.contains("url("));
}
