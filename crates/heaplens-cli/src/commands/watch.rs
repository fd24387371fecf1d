//! `heaplens watch`: maps, places and verdicts as they change.

mod detail;
mod feed;
mod look;
mod model;
mod screen;
mod tables;
mod view;

use std::io::IsTerminal;
use std::sync::mpsc;
use std::thread;

use crossterm::event::{self, Event, KeyEventKind};

use crate::cli::Watch;
use crate::exit::Exit;
use crate::fault::Fault;
use crate::session::Session;
use crate::source::Source;

use feed::Feed;
use look::Look;
use model::{Model, Next};
use screen::Screen;

/// What there is to react to.
#[derive(Debug)]
enum Message {
    Event(Event),
    Look(Box<Look>),
    /// A signal, or the end of the input.
    End,
}

pub(crate) fn run(asked: &Watch, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let address = Source::service(&asked.source)?;
    let client = session.client()?;
    if session.json {
        return stream(Feed::new(client, address, asked.every), session);
    }
    if !session.console.is_terminal() || !std::io::stdin().is_terminal() {
        return Err(Fault::usage(
            "watch draws on a terminal; heaplens maps, top and leaks print once, watch --json a line a look",
        ));
    }
    let mut feed = Feed::new(client, address, asked.every);
    // Before the screen is taken: what cannot be reached is told in one line.
    let first = feed.first()?;
    let mut model = Model::new(feed.address(), asked.every);
    let (sender, receiver) = mpsc::channel();
    let orders = feed.start(sender.clone());
    model.take(first);
    thread::spawn(move || read_events(&sender));
    let mut screen = Screen::open()?;
    loop {
        screen.draw(&view::frame(
            &model,
            Screen::size(),
            session.console.style(),
        ))?;
        // One after the other until there is nothing more, then the picture.
        let Ok(message) = receiver.recv() else {
            return Ok(Exit::Fine);
        };
        for message in std::iter::once(message).chain(receiver.try_iter()) {
            match react(&mut model, message) {
                Next::Stay => {}
                Next::Order(order) => {
                    // A feed that is gone sends nothing any more, and that is shown.
                    let _ = orders.send(order);
                }
                Next::Redraw => screen.forget(),
                Next::Quit => return Ok(Exit::Fine),
            }
        }
    }
}

fn react(model: &mut Model, message: Message) -> Next {
    match message {
        Message::Event(Event::Key(key)) if key.kind != KeyEventKind::Release => model.key(key),
        Message::Event(Event::Resize(..)) => Next::Redraw,
        Message::Event(_) => Next::Stay,
        Message::Look(look) => {
            model.take(*look);
            Next::Stay
        }
        Message::End => Next::Quit,
    }
}

/// Hands keys on, until nobody takes them.
fn read_events(sender: &mpsc::Sender<Message>) {
    while let Ok(event) = event::read() {
        if sender.send(Message::Event(event)).is_err() {
            return;
        }
    }
    let _ = sender.send(Message::End);
}

/// A line of JSON a look, until a signal comes or nobody reads.
fn stream(mut feed: Feed, session: &mut Session<'_>) -> Result<Exit, Fault> {
    let first = feed.first()?;
    let (sender, receiver) = mpsc::channel();
    let _orders = feed.start(sender);
    let looks = receiver.into_iter().map_while(|message| match message {
        Message::Look(look) => Some(*look),
        Message::Event(_) | Message::End => None,
    });
    for look in std::iter::once(first).chain(looks) {
        session.console.print(&format!("{}\n", look.document()))?;
        session.console.flush()?;
    }
    Ok(Exit::Fine)
}
