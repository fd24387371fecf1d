//! The parts of the documents. Scripts fetch them anew and put them in the places
//! of the old ones, by their ids.

pub(super) mod commands;
mod evidence;
pub(super) mod flame;
pub(super) mod maps;
pub(super) mod memory;
pub(super) mod paths;
pub(super) mod sites;
pub(super) mod standing;
pub(super) mod verdicts;
