//! The manifest's text, and positions in it.

/// A text with a name to show beside positions.
#[derive(Clone, Debug)]
pub struct Source {
    name: String,
    text: String,
    line_starts: Vec<usize>,
}

/// A line and a column, both counted from 1; the column counts characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Position {
    /// Line.
    pub line: usize,
    /// Column, in characters.
    pub column: usize,
}

impl Source {
    /// The text of the file that is shown as `name`.
    #[must_use]
    pub fn new(name: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let line_starts = std::iter::once(0)
            .chain(text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1))
            .collect();
        Self { name: name.into(), text, line_starts }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The text.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The position of byte `offset`. Offsets beyond the end give the end.
    #[must_use]
    pub fn position(&self, offset: usize) -> Position {
        let offset = self.boundary(offset);
        let line = self.line_starts.partition_point(|start| *start <= offset);
        let start = self.line_starts[line - 1];
        Position { line, column: self.text[start..offset].chars().count() + 1 }
    }

    /// The line that contains byte `offset`, without its line ending.
    #[must_use]
    pub fn line(&self, offset: usize) -> &str {
        let start = self.line_starts[self.position(offset).line - 1];
        self.text[start..].lines().next().unwrap_or_default()
    }

    /// The nearest character boundary at or below `offset`.
    #[must_use]
    pub fn boundary(&self, offset: usize) -> usize {
        self.text.floor_char_boundary(offset)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn positions_count_characters() {
        let source = Source::new("t", "ab\nÄö = 1\n");
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        assert_eq!(source.position(2), Position { line: 1, column: 3 });
        assert_eq!(source.position(3), Position { line: 2, column: 1 });
        assert_eq!(source.position(4), Position { line: 2, column: 1 }, "inside of a character");
        assert_eq!(source.position(7), Position { line: 2, column: 3 });
        assert_eq!(source.position(9999), Position { line: 3, column: 1 });
        assert_eq!(Source::new("t", "").position(5), Position { line: 1, column: 1 });
        assert_eq!((source.line(1), source.line(5), source.line(9999)), ("ab", "Äö = 1", ""));
    }
}
