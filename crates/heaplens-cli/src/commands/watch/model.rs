//! What is shown, and how keys change it. Draws and asks nothing.

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

use super::feed::Order;
use super::look::Look;
use crate::address::Address;
use crate::cli::By;
use crate::leaks_page::{self, State, Verdict};
use crate::maps_page::{self, Group};
use crate::ranking::{self, Row};
use crate::source;

/// Looks that a trend is made of.
pub(super) const TREND: usize = 16;

/// Places that are shown at the most.
const PLACES: usize = 500;

/// Longest filter, in characters.
const MAX_FILTER: usize = 60;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Tab {
    Maps,
    Places,
    Leaks,
}

impl Tab {
    pub(super) const ALL: [Tab; 3] = [Tab::Maps, Tab::Places, Tab::Leaks];

    fn place(self) -> usize {
        Tab::ALL.iter().position(|tab| *tab == self).unwrap_or(0)
    }

    /// What its rows can be sorted by.
    pub(super) fn orders(self) -> &'static [&'static str] {
        match self {
            Tab::Maps => &[
                "HEAP",
                "TABLE",
                "ENTRIES",
                "GROWTH/min",
                "OLDEST",
                "FULL IN",
                "MAP",
            ],
            Tab::Places => &["IN USE", "CHANGE", "OBJECTS", "ALLOCATED", "PLACE"],
            Tab::Leaks => &["STATE", "GROWTH/min", "BYTES/min", "FULL IN", "NAME"],
        }
    }
}

/// What is to be done after a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    Stay,
    Order(Order),
    /// The whole screen, anew.
    Redraw,
    Quit,
}

/// How the rows of a tab are sorted, and which one is picked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Listing {
    pub(super) order: usize,
    pub(super) is_reversed: bool,
    pub(super) picked: usize,
}

/// A place, and what it had when it was first looked at.
#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) row: Row,
    pub(super) inuse: i128,
    pub(super) objects: i128,
    pub(super) allocated: i128,
    pub(super) change: i128,
}

#[derive(Debug)]
pub(super) struct Model {
    pub(super) address: String,
    pub(super) every: Duration,
    pub(super) tab: Tab,
    pub(super) listings: [Listing; 3],
    pub(super) filter: String,
    pub(super) is_filtering: bool,
    pub(super) is_paused: bool,
    pub(super) shows_help: bool,
    pub(super) at: SystemTime,
    pub(super) fault: Option<String>,
    pub(super) page: maps_page::Page,
    pub(super) leaks: Option<leaks_page::Page>,
    /// `None` until places were looked at.
    pub(super) places: Option<Vec<Place>>,
    /// Entries of each map at the last looks.
    pub(super) trends: HashMap<String, Vec<u64>>,
    first: HashMap<String, i128>,
}

impl Model {
    pub(super) fn new(address: &Address, every: Duration) -> Self {
        Model {
            address: address.to_string(),
            every,
            tab: Tab::Maps,
            listings: [Listing::default(); 3],
            filter: String::new(),
            is_filtering: false,
            is_paused: false,
            shows_help: false,
            at: SystemTime::UNIX_EPOCH,
            fault: None,
            page: maps_page::Page::default(),
            leaks: None,
            places: None,
            trends: HashMap::new(),
            first: HashMap::new(),
        }
    }

    /// Takes what was found. What could not be had stays as it was.
    pub(super) fn take(&mut self, look: Look) {
        self.at = look.at;
        match look.maps {
            Ok((page, _)) => {
                self.fault = None;
                self.note(&page);
                self.page = page;
            }
            Err(fault) => self.fault = Some(fault),
        }
        if let Some((leaks, _)) = look.leaks {
            self.leaks = Some(leaks);
        }
        if let Some(profile) = look.heap {
            self.take_places(&profile);
        }
        self.keep_in_bounds();
    }

    fn note(&mut self, page: &maps_page::Page) {
        // What is gone is forgotten with its trend.
        self.trends
            .retain(|name, _| page.maps.iter().any(|group| group.name == *name));
        for group in &page.maps {
            let trend = self.trends.entry(group.name.clone()).or_default();
            trend.extend(group.entries_count);
            if trend.len() > TREND {
                trend.remove(0);
            }
        }
    }

    fn take_places(&mut self, profile: &heaplens_profile::Profile) {
        let Ok(index) = source::type_index(profile, None) else {
            return;
        };
        let of = |row: &Row, kind: &str| profile.type_index(kind).map_or(0, |at| row.value(at));
        let rows = ranking::ranked(profile, &By::Site, index, false);
        let is_first = self.first.is_empty();
        let places = rows.into_iter().take(PLACES).map(|row| {
            let inuse = row.value(index);
            let title = row.title();
            if is_first {
                self.first.insert(title.clone(), inuse);
            }
            Place {
                inuse,
                objects: of(&row, "inuse_objects"),
                allocated: of(&row, "alloc_space"),
                change: inuse - self.first.get(&title).copied().unwrap_or(0),
                row,
            }
        });
        self.places = Some(places.collect());
    }

    pub(super) fn listing(&self) -> Listing {
        self.listings
            .get(self.tab.place())
            .copied()
            .unwrap_or_default()
    }

    fn listing_mut(&mut self) -> &mut Listing {
        let [maps, places, leaks] = &mut self.listings;
        match self.tab {
            Tab::Maps => maps,
            Tab::Places => places,
            Tab::Leaks => leaks,
        }
    }

    /// The name of what the rows are sorted by.
    pub(super) fn order(&self) -> &'static str {
        let orders = self.tab.orders();
        orders
            .get(self.listing().order)
            .copied()
            .unwrap_or_default()
    }

    fn passes(&self, name: &str) -> bool {
        self.filter.is_empty() || name.to_lowercase().contains(&self.filter.to_lowercase())
    }

    /// The maps that are shown, in their order.
    pub(super) fn maps(&self) -> Vec<&Group> {
        let maps = self
            .page
            .maps
            .iter()
            .filter(|group| self.passes(&group.name));
        let mut maps: Vec<&Group> = maps.collect();
        let whole = |value: Option<u64>| value.map(|value| value as f64);
        let key = |group: &Group| match self.order() {
            "TABLE" => whole(group.table_bytes),
            "ENTRIES" => whole(group.entries_count),
            "GROWTH/min" => group.growth_entries_per_second,
            "OLDEST" => group.oldest_entry_age_seconds,
            // The soonest first.
            "FULL IN" => group.seconds_to_limit.map(|left| -left),
            _ => group.heap_bytes,
        };
        let is_by_name = self.order() == "MAP";
        sort(
            &mut maps,
            is_by_name,
            |group| key(group),
            |group| group.name.clone(),
        );
        self.turned(maps)
    }

    /// The places that are shown, in their order.
    pub(super) fn places(&self) -> Vec<&Place> {
        let places = self.places.iter().flatten();
        let mut places: Vec<&Place> = places.filter(|of| self.passes(&of.row.title())).collect();
        let key = |of: &Place| match self.order() {
            "CHANGE" => of.change,
            "OBJECTS" => of.objects,
            "ALLOCATED" => of.allocated,
            _ => of.inuse,
        };
        let is_by_name = self.order() == "PLACE";
        sort(
            &mut places,
            is_by_name,
            |of| Some(key(of) as f64),
            |of| of.row.title(),
        );
        self.turned(places)
    }

    /// The verdicts that are shown, in their order.
    pub(super) fn verdicts(&self) -> Vec<&Verdict> {
        let all = self.leaks.iter().flat_map(|page| &page.verdicts);
        let mut verdicts: Vec<&Verdict> = all.filter(|of| self.passes(&of.name)).collect();
        let growth = |of: &Verdict| of.growth.unwrap_or_default();
        let key = |of: &Verdict| match self.order() {
            "GROWTH/min" => growth(of).entries_per_minute,
            "BYTES/min" => growth(of).bytes_per_minute,
            "FULL IN" => of.seconds_to_limit.map(|left| -left),
            _ => Some(rank(of.state)),
        };
        // As the service ranks them, which says more than the state alone.
        if self.order() != "STATE" {
            let is_by_name = self.order() == "NAME";
            sort(
                &mut verdicts,
                is_by_name,
                |of| key(of),
                |of| of.name.clone(),
            );
        }
        self.turned(verdicts)
    }

    fn turned<T>(&self, mut rows: Vec<T>) -> Vec<T> {
        if self.listing().is_reversed {
            rows.reverse();
        }
        rows
    }

    /// How many rows the tab has.
    pub(super) fn rows(&self) -> usize {
        match self.tab {
            Tab::Maps => self.maps().len(),
            Tab::Places => self.places().len(),
            Tab::Leaks => self.verdicts().len(),
        }
    }

    fn keep_in_bounds(&mut self) {
        let last = self.rows().saturating_sub(1);
        let listing = self.listing_mut();
        listing.picked = listing.picked.min(last);
    }

    /// Does what a key says.
    pub(super) fn key(&mut self, key: KeyEvent) -> Next {
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c' | 'd') if is_control => return Next::Quit,
            KeyCode::Char('l') if is_control => return Next::Redraw,
            _ if is_control => return Next::Stay,
            _ => {}
        }
        if self.is_filtering {
            self.filter_key(key.code);
            return Next::Stay;
        }
        if self.shows_help {
            self.shows_help = false;
            return Next::Stay;
        }
        match key.code {
            KeyCode::Char('q') => Next::Quit,
            KeyCode::Char('?' | 'h') => {
                self.shows_help = true;
                Next::Stay
            }
            KeyCode::Tab => self.show(self.tab.place() + 1),
            KeyCode::BackTab => self.show(self.tab.place() + Tab::ALL.len() - 1),
            KeyCode::Char('1') => self.show(0),
            KeyCode::Char('2') => self.show(1),
            KeyCode::Char('3') => self.show(2),
            KeyCode::Char('p' | ' ') => {
                self.is_paused = !self.is_paused;
                Next::Order(Order::Pause(self.is_paused))
            }
            KeyCode::Char('g') => Next::Order(Order::Look),
            KeyCode::Char('+') => self.look_every(self.every / 2),
            KeyCode::Char('-') => self.look_every(self.every * 2),
            code => {
                self.list_key(code);
                Next::Stay
            }
        }
    }

    fn list_key(&mut self, code: KeyCode) {
        let orders = self.tab.orders().len();
        let last = self.rows().saturating_sub(1);
        let listing = self.listing_mut();
        match code {
            KeyCode::Char('s' | '>') | KeyCode::Right => {
                listing.order = (listing.order + 1) % orders;
            }
            KeyCode::Char('S' | '<') | KeyCode::Left => {
                listing.order = (listing.order + orders - 1) % orders;
            }
            KeyCode::Char('r') => listing.is_reversed = !listing.is_reversed,
            KeyCode::Up | KeyCode::Char('k') => listing.picked = listing.picked.saturating_sub(1),
            KeyCode::Down | KeyCode::Char('j') => listing.picked = (listing.picked + 1).min(last),
            KeyCode::PageUp => listing.picked = listing.picked.saturating_sub(10),
            KeyCode::PageDown => listing.picked = (listing.picked + 10).min(last),
            KeyCode::Home => listing.picked = 0,
            KeyCode::End => listing.picked = last,
            KeyCode::Char('/') => self.is_filtering = true,
            KeyCode::Esc => {
                self.filter.clear();
                self.keep_in_bounds();
            }
            _ => {}
        }
    }

    fn filter_key(&mut self, code: KeyCode) {
        match code {
            KeyCode::Enter => self.is_filtering = false,
            KeyCode::Esc => {
                self.is_filtering = false;
                self.filter.clear();
            }
            KeyCode::Backspace => {
                self.filter.pop();
            }
            KeyCode::Char(character) if self.filter.chars().count() < MAX_FILTER => {
                self.filter.push(character);
            }
            _ => {}
        }
        self.keep_in_bounds();
    }

    fn show(&mut self, place: usize) -> Next {
        let before = self.tab;
        self.tab = Tab::ALL
            .get(place % Tab::ALL.len())
            .copied()
            .unwrap_or(before);
        self.keep_in_bounds();
        if (before == Tab::Places) == (self.tab == Tab::Places) {
            return Next::Stay;
        }
        Next::Order(Order::Places(self.tab == Tab::Places))
    }

    fn look_every(&mut self, every: Duration) -> Next {
        const LEAST: Duration = Duration::from_millis(500);
        const MOST: Duration = Duration::from_secs(600);
        self.every = every.clamp(LEAST, MOST);
        Next::Order(Order::Every(self.every))
    }
}

/// The worst last.
fn rank(state: State) -> f64 {
    f64::from(state as u8)
}

/// The most first, what is not known last; or by name.
fn sort<T>(
    rows: &mut [&T],
    is_by_name: bool,
    key: impl Fn(&T) -> Option<f64>,
    name: impl Fn(&T) -> String,
) {
    if is_by_name {
        rows.sort_by_cached_key(|of| name(of));
        return;
    }
    let key = |of: &T| key(of).unwrap_or(f64::NEG_INFINITY);
    rows.sort_by(|a, b| key(b).total_cmp(&key(a)));
}
