//! Names packets and users that are not in the call, or are there but not in their order. The user's name says
//! what it does, and after a colon with which place.

use hongbao_hostile_guests::{Grabbed, Guest, Share, Task, component, count, counter, first, ledger, users};

struct OtherPlaces;

impl Guest for OtherPlaces {
    fn grab(tasks: Vec<Task>) -> Vec<Grabbed> {
        let name = first();
        let (deed, place) = name.split_once(':').unwrap_or_default();
        let place = place.parse().unwrap_or_default();
        let share = Share { user: 0, amount: 1 };
        let attempt = |packet| ledger::ClaimAttempt { packet, version: 1, shares: 1 };
        match deed {
            "load" => drop(ledger::load(&[place])),
            "details" => drop(ledger::details(place, true)),
            "claim" => drop(ledger::claim(&[attempt(place)], &[share])),
            "look" => drop(counter::load(&[place])),
            "twice" => drop(counter::load(&[0, 0])),
            "take" => drop(counter::swap(&[counter::Attempt { packet: place, version: 1, users: 1 }], &[0])),
            "admit" => drop(counter::admit(&[counter::Group { packet: place, users: 1 }], &[0])),
            "seats" => drop(counter::seats(&[place])),
            "names" => drop(users::names(place)),
            "user" => drop(counter::swap(&[counter::Attempt { packet: 0, version: 1, users: 1 }], &[place])),
            "guest" => drop(counter::admit(&[counter::Group { packet: 0, users: 1 }], &[place])),
            "share" => drop(ledger::claim(&[attempt(0)], &[Share { user: place, amount: 1 }])),
            "more" => drop(counter::admit(&[counter::Group { packet: 0, users: 2 }], &[0])),
            _ => drop(counter::admit(&[counter::Group { packet: 0, users: 0 }], &[0])),
        }
        vec![Grabbed::Contended; count(&tasks)]
    }
}

component!(OtherPlaces);
