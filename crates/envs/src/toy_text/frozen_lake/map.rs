//! Maps of a frozen lake: checked, known by name, or drawn at random.

use deepq_core::EnvError;

use crate::numpy_random::NumpyGenerator;
use crate::toy_text::transitions::MAX_STATES;

/// Boards a random map may take: where fewer than one in so many has a way, the ice is too thin to ask for.
const MAX_BOARDS: usize = 1_000_000;
/// Tiles that may be drawn for a random map, over all its boards: about two seconds.
const MAX_TILES: usize = 1 << 28;

const MAP_4X4: [&str; 4] = ["SFFF", "FHFH", "FFFH", "HFFG"];
const MAP_8X8: [&str; 8] =
    ["SFFFFFFF", "FFFFFFFF", "FFFHFFFF", "FFFFFHFF", "FFFHFFFF", "FHHFFFHF", "FHFFHFHF", "FFFHFFFG"];

/// What a tile of the lake is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// `S`: ice where an episode begins; of several, each is as likely.
    Start,
    /// `F`: ice.
    Frozen,
    /// `H`: a hole in the ice; falling in ends the episode.
    Hole,
    /// `G`: the goal, which ends the episode too.
    Goal,
}

impl Tile {
    fn from_letter(letter: char) -> Option<Self> {
        match letter {
            'S' => Some(Self::Start),
            'F' => Some(Self::Frozen),
            'H' => Some(Self::Hole),
            'G' => Some(Self::Goal),
            _ => None,
        }
    }

    /// True where an episode ends.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Hole | Self::Goal)
    }
}

/// A lake: a rectangle of tiles with at least one start, from each of which a goal can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Map {
    columns: usize,
    tiles: Vec<Tile>,
}

impl Map {
    /// One of the maps that have a name: `4x4` or `8x8`.
    ///
    /// # Errors
    /// Where there is no map of that name.
    pub fn named(name: &str) -> Result<Self, EnvError> {
        match name {
            "4x4" => Self::parse(&MAP_4X4),
            "8x8" => Self::parse(&MAP_8X8),
            _ => Err(EnvError::new(format!(
                "map_name is '4x4' or '8x8', found '{name}': for a lake of your own give desc, a list of rows as \
                 [\"SFFF\", \"FHFH\", \"FFFH\", \"HFFG\"]"
            ))),
        }
    }

    /// The map drawn by `rows`, from the top, a letter a tile: `S` start, `F` frozen, `H` hole, `G` goal.
    ///
    /// Gymnasium takes maps with other letters, without a start or without a way as well; here they are errors,
    /// since nobody learns on them.
    ///
    /// # Errors
    /// Where the rows are not equally long, a letter is another one, there is no start, there are more than
    /// 2²⁰ tiles, or no goal can be reached from a start.
    pub fn parse<S: AsRef<str>>(rows: &[S]) -> Result<Self, EnvError> {
        let columns = rows.first().map_or(0, |row| row.as_ref().chars().count());
        if columns == 0 {
            return Err(EnvError::new("desc is the map of a lake, row by row: it needs at least one tile"));
        }
        let mut tiles = Vec::new();
        for (number, row) in (1..).zip(rows) {
            read_row(number, row.as_ref(), columns, &mut tiles)?;
            if tiles.len() > MAX_STATES {
                let found = rows.len().saturating_mul(columns);
                return Err(EnvError::new(format!(
                    "desc: a lake has at most {MAX_STATES} tiles, found {found}"
                )));
            }
        }
        let map = Self { columns, tiles };
        map.check_ways()?;
        Ok(map)
    }

    fn check_ways(&self) -> Result<(), EnvError> {
        let found = |tile| self.tiles.contains(&tile);
        if !found(Tile::Start) {
            return Err(EnvError::new("desc: there is no start (S) on the map"));
        }
        if !found(Tile::Goal) {
            return Err(EnvError::new("desc: there is no goal (G) on the map"));
        }
        let reaching = self.reaching_a_goal();
        match (0..self.tiles.len()).find(|tile| self.tiles[*tile] == Tile::Start && !reaching[*tile]) {
            None => Ok(()),
            Some(start) => Err(EnvError::new(format!(
                "desc: from the start in row {}, column {} no goal (G) can be reached: holes (H) or the edges \
                 are in every way",
                start / self.columns + 1,
                start % self.columns + 1
            ))),
        }
    }

    /// Of each tile, whether some walk over ice leads from it to a goal.
    fn reaching_a_goal(&self) -> Vec<bool> {
        let mut reaching = vec![false; self.tiles.len()];
        let mut frontier: Vec<usize> =
            (0..self.tiles.len()).filter(|tile| self.tiles[*tile] == Tile::Goal).collect();
        while let Some(tile) = frontier.pop() {
            if !std::mem::replace(&mut reaching[tile], true) {
                let onto = |next: &usize| !self.tiles[*next].is_terminal() && !reaching[*next];
                frontier.extend((0..4).map(|action| self.neighbour(tile, action)).filter(onto));
            }
        }
        reaching
    }

    /// The tile to the left (0) of `tile`, below (1), to the right (2) or above (3); itself at the edge.
    pub(super) fn neighbour(&self, tile: usize, action: usize) -> usize {
        let column = tile % self.columns;
        match action {
            0 if column > 0 => tile - 1,
            1 if tile + self.columns < self.tiles.len() => tile + self.columns,
            2 if column + 1 < self.columns => tile + 1,
            3 if tile >= self.columns => tile - self.columns,
            _ => tile,
        }
    }

    /// How many columns there are.
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.tiles.len() / self.columns
    }

    /// All tiles, row by row from the upper left corner: the place here is the state's number.
    pub fn tiles(&self) -> &[Tile] {
        &self.tiles
    }
}

fn read_row(number: usize, row: &str, columns: usize, tiles: &mut Vec<Tile>) -> Result<(), EnvError> {
    for (column, letter) in (1..).zip(row.chars()) {
        tiles.push(Tile::from_letter(letter).ok_or_else(|| unknown_letter(number, column, letter))?);
    }
    match row.chars().count() {
        found if found == columns => Ok(()),
        found => Err(EnvError::new(format!(
            "desc: all rows have as many tiles as the first, which has {columns}; row {number} has {found}"
        ))),
    }
}

fn unknown_letter(row: usize, column: usize, letter: char) -> EnvError {
    let upper = letter.to_ascii_uppercase();
    let meant = match Tile::from_letter(upper) {
        Some(_) => format!(": did you mean '{upper}'?"),
        None => String::new(),
    };
    EnvError::new(format!(
        "desc: a tile is S (start), F (frozen), H (hole) or G (goal), found '{letter}' in row {row}, column \
         {column}{meant}"
    ))
}

/// A random map of `size`×`size` tiles with a way from its start, in the upper left corner, to its goal in the
/// lower right one: Gymnasium's `generate_random_map(size, p, seed)`, equal to the bit.
///
/// Each tile is frozen with the probability `p` (which counts as 1 where it is more), else a hole. Boards are
/// drawn until one has a way.
///
/// ```
/// use deepq_envs::toy_text::frozen_lake::{FrozenLake, FrozenLakeOptions, generate_random_map};
///
/// let desc = generate_random_map(5, 0.7, 42)?;
/// let lake = FrozenLake::v1_with(FrozenLakeOptions { desc: Some(desc), ..Default::default() })?;
/// # Ok::<(), deepq_core::EnvError>(())
/// ```
///
/// # Errors
/// Where `size` is below 2 or above 1,024, `p` is no probability, or so small that no board of a million has
/// a way. (Gymnasium searches for ever there.)
pub fn generate_random_map(size: usize, p: f64, seed: u64) -> Result<Vec<String>, EnvError> {
    const LARGEST: usize = 1 << 10;
    if !(2..=LARGEST).contains(&size) {
        return Err(EnvError::new(format!("size is from 2 to {LARGEST} tiles, found {size}")));
    }
    if p.is_nan() || p < 0.0 {
        return Err(EnvError::new(format!("p is the probability of ice, from 0 to 1, found {p}")));
    }
    let p = p.min(1.0);
    let mut random = NumpyGenerator::new(seed.into());
    let boards = MAX_BOARDS.min(MAX_TILES / (size * size));
    for _ in 0..boards {
        let board = random_board(size, p, &mut random);
        if board.reaching_a_goal()[0] {
            return Ok(board.letters());
        }
    }
    Err(EnvError::new(format!(
        "p = {p} leaves too little ice: none of {boards} random maps of {size}×{size} tiles has a way from start \
         to goal"
    )))
}

fn random_board(size: usize, p: f64, random: &mut NumpyGenerator) -> Map {
    let mut tile = || if random.next_f64() < p { Tile::Frozen } else { Tile::Hole };
    let mut tiles: Vec<Tile> = (0..size * size).map(|_| tile()).collect();
    tiles[0] = Tile::Start;
    tiles[size * size - 1] = Tile::Goal;
    Map { columns: size, tiles }
}

impl Map {
    fn letters(&self) -> Vec<String> {
        let letter = |tile: &Tile| match tile {
            Tile::Start => 'S',
            Tile::Frozen => 'F',
            Tile::Hole => 'H',
            Tile::Goal => 'G',
        };
        self.tiles.chunks(self.columns).map(|row| row.iter().map(letter).collect()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(rows: &[&str]) -> String {
        Map::parse(rows).unwrap_err().to_string()
    }

    #[test]
    fn a_map_that_nobody_could_walk_is_refused_with_the_reason() {
        assert_eq!(error(&[]), "desc is the map of a lake, row by row: it needs at least one tile");
        assert_eq!(error(&["", ""]), error(&[]));
        assert_eq!(
            error(&["SFFG", "FFF"]),
            "desc: all rows have as many tiles as the first, which has 4; row 2 has 3"
        );
        assert_eq!(
            error(&["SF", "fG"]),
            "desc: a tile is S (start), F (frozen), H (hole) or G (goal), found 'f' in row 2, column 1: did you \
             mean 'F'?"
        );
        assert!(error(&["SFé", "FFG"]).ends_with("found 'é' in row 1, column 3"));
        assert_eq!(error(&["FF", "FG"]), "desc: there is no start (S) on the map");
        assert_eq!(error(&["SF", "FF"]), "desc: there is no goal (G) on the map");
        assert_eq!(
            error(&["GSHS", "HHHF"]),
            "desc: from the start in row 1, column 4 no goal (G) can be reached: holes (H) or the edges are in \
             every way"
        );
        let wide = "S".repeat(1024);
        assert_eq!(
            error(&vec![wide.as_str(); 1025]),
            "desc: a lake has at most 1048576 tiles, found 1049600"
        );
    }

    #[test]
    fn a_way_does_not_lead_around_the_edge_nor_through_a_goal_or_hole() {
        assert!(error(&["FFS", "HHH", "GFF"]).contains("row 1, column 3"));
        assert!(error(&["SHG"]).contains("row 1, column 1"));
        assert!(Map::parse(&["SHF", "FFF", "HHG"]).is_ok());
        assert!(Map::parse(&["SG"]).is_ok());
        assert!(Map::parse(&["S", "F", "G"]).is_ok());
    }

    #[test]
    fn a_name_there_is_not_is_an_error_that_tells_those_there_are() {
        let error = Map::named("16x16").unwrap_err().to_string();
        assert!(error.starts_with("map_name is '4x4' or '8x8', found '16x16'"), "{error}");
        assert_eq!((Map::named("4x4").unwrap().rows(), Map::named("8x8").unwrap().columns()), (4, 8));
    }

    #[test]
    fn random_maps_that_cannot_be_are_errors() {
        let error = |size, p| generate_random_map(size, p, 0).unwrap_err().to_string();
        assert_eq!(error(1, 0.8), "size is from 2 to 1024 tiles, found 1");
        assert_eq!(error(1025, 0.8), "size is from 2 to 1024 tiles, found 1025");
        assert_eq!(error(4, -0.5), "p is the probability of ice, from 0 to 1, found -0.5");
        assert!(error(4, f64::NAN).ends_with("found NaN"));
        assert!(error(8, 0.0).starts_with("p = 0 leaves too little ice: none of 1000000 random maps of 8×8"));
        assert!(generate_random_map(1024, 0.9, 0).is_ok());
    }
}
