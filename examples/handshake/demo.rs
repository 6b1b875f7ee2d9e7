//! The conversation: what happens in it, and how it is shown.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use segue_kit::Rng;
use segue_kit::net::{Bases, Closing, End, Ladder, Link, Outcome, Plan, Rates, Side, Sim, What};

use super::args::Options;

/// The most that the server answers with.
const ANSWER: u64 = 600;

/// The client sends, the server answers when all has come; the client closes, and the server in its turn.
pub fn plan(options: &Options) -> Plan {
    let mut rng = Rng::new(options.seed);
    let [client_iss, server_iss] = [rng.next() as u32, rng.next() as u32];
    let answer = options.size.min(ANSWER);
    let pause = Duration::from_millis(60);
    let client =
        End { iss: client_iss, octets: options.size, closing: Closing::AfterText(answer, pause), ..End::default() };
    let server = End {
        iss: server_iss,
        octets: answer,
        answers: options.size,
        closing: Closing::AfterPeer(pause),
        ..End::default()
    };
    let segments = 1000 + u32::try_from(options.size / 100).unwrap_or(u32::MAX);
    let rates = Rates { lose: options.loss, ..Rates::default() };
    Plan {
        seed: options.seed,
        start: 0,
        ends: [client, server],
        links: [Link::default(); 2],
        faults: rates.faults(&mut rng, segments),
        encode: true,
        ..Plan::default()
    }
}

/// Runs it to its end.
pub fn run(options: &Options) -> Outcome {
    Sim::new(&plan(options), false).with_whole_trace().finish()
}

/// All that the example prints.
pub fn show(outcome: &Outcome, options: &Options) -> String {
    let mut text = String::new();
    write_all(&mut text, outcome, options).expect("a String takes all");
    text
}

fn write_all(text: &mut String, outcome: &Outcome, options: &Options) -> std::fmt::Result {
    let [client, server] = &outcome.plan.ends;
    let percent = f64::from(options.loss) / 10.0;
    writeln!(text, "A client sends {} octets, a server answers with {}.", client.octets, server.octets)?;
    writeln!(text, "The link takes 20 ms each way and loses {percent} % of the segments (seed {}).", options.seed)?;
    writeln!(text)?;
    writeln!(
        text,
        "Each line is one segment, with the times at which it left and arrived beside its sender and receiver."
    )?;
    writeln!(text, "One that crosses others takes two lines: the first ends, the second begins with ···.")?;
    writeln!(text, "Below what changed a state, or was discarded, stands the cause with its clause.")?;
    writeln!(text, "Numbers are relative to the initial ones, client {}, server {}:", client.iss, server.iss)?;
    writeln!(
        text,
        "the SYN takes number 0, the text begins at 1. Timestamps (TS) are on every segment and not shown."
    )?;
    writeln!(text)?;
    write!(text, "{}", Ladder::new(&outcome.plan, &outcome.trace))?;
    writeln!(text)?;
    summary(text, outcome)
}

fn summary(text: &mut String, outcome: &Outcome) -> std::fmt::Result {
    for side in Side::BOTH {
        let (user, other) = (&outcome.host(side).user, &outcome.host(side.other()).user);
        let reason = user.closed.map_or_else(|| "still open".to_string(), |reason| reason.to_string());
        let (wrote, came) = (user.written, other.delivered);
        writeln!(text, "{}  wrote {wrote} octets, {came} of them were delivered, in order; {reason}", side.name())?;
    }
    let mut timers: BTreeMap<String, u32> = BTreeMap::new();
    let (mut lost, mut again) = (0, 0);
    for record in &outcome.trace.records {
        match &record.what {
            What::Depart { lost: why, again: repeated, .. } => {
                lost += u32::from(why.is_some());
                again += u32::from(*repeated);
            }
            What::Timer(timer) => *timers.entry(format!("{timer:?}")).or_default() += 1,
            What::Call(_) | What::State(..) | What::Arrive { .. } | What::Told(_) => {}
        }
    }
    let timers: Vec<String> = timers.iter().map(|(timer, count)| format!("{timer} {count}")).collect();
    writeln!(text, "segments  {} sent, {lost} lost, {again} sent again", outcome.segments)?;
    writeln!(text, "timers  {}", if timers.is_empty() { "none fired".into() } else { timers.join(", ") })?;
    let seconds = Bases::of(&outcome.plan).time(outcome.end).as_micros() as f64 / 1e6;
    writeln!(text, "virtual time  {seconds:.3} s; TIME-WAIT takes 240 s, twice the maximum segment lifetime")
}
