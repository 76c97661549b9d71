//! The processes of a soak: who is killed, stopped or asked to end, and who comes in their place.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use kamailio_dns::shm::kill_point::{self, KillPoint};

use super::plan::Plan;
use super::support::children::{
    SharedNumbers, changed, ended, go_on, kill, spawn, stop_unless_ended, wait, was_killed,
};
use super::{Child, Draw, ENDS, Role, STEPS, STOP};

/// Nobody needs so long for a step, whoever else is stopped meanwhile.
const STUCK: Duration = Duration::from_secs(60);
/// Who wants the lock waits so long before all that are stopped go on.
const SLEEPERS_REST: Duration = Duration::from_millis(100);

/// What was done to the processes.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Deeds {
    pub(super) kills: u32,
    pub deaths_at_points: u32,
    pub(super) stops: u32,
    pub stops_at_points: u32,
    pub ends_by_word: u32,
}

impl Deeds {
    /// Processes that died.
    pub(super) fn deaths(self) -> u32 {
        self.kills + self.deaths_at_points
    }

    pub(super) fn all(self) -> u32 {
        self.deaths() + self.stops + self.stops_at_points + self.ends_by_word
    }
}

/// What happens to a process at a point inside a writer's section, after it passed there so many times.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Nothing,
    Dies(u32, u32),
    Stops(u32, u32),
}

struct Process {
    pid: libc::pid_t,
    /// It is stopped, and goes on then.
    asleep_until: Option<Instant>,
    /// Its steps, and since when it has made so many.
    steps: u32,
    since: Instant,
}

/// All processes; each has a place, which says what it does.
pub(super) struct Crowd {
    processes: Vec<Process>,
    numbers: SharedNumbers,
    draw: Draw,
    may_kill: bool,
    pub(super) deeds: Deeds,
}

impl Crowd {
    pub(super) fn start(plan: &Plan, numbers: SharedNumbers) -> Self {
        let first = |place| Process::start(place, numbers, place as u64, Fate::Nothing);
        Self {
            processes: (0..plan.processes).map(first).collect(),
            numbers,
            draw: Draw(plan.processes as u64),
            may_kill: plan.may_kill,
            deeds: Deeds::default(),
        }
    }

    /// One ends at a random moment, and another is stopped. Who comes in the place of the one may be about to die, or
    /// to be stopped, at a point.
    pub(super) fn disturb(&mut self) {
        let place = self.any();
        if self.may_kill {
            self.kill(place);
        } else {
            self.ask_to_end(place);
        }
        let fate = self.fate();
        self.replace(place, fate);
        let place = self.any();
        if self.processes[place].asleep_until.is_none() {
            self.stop(place);
        }
    }

    /// Sees who died or stopped at a point, has those go on that were stopped for long enough, and looks whether all
    /// others get on.
    pub(super) fn look(&mut self) {
        for place in 0..self.processes.len() {
            match changed(self.processes[place].pid) {
                Some(status) if libc::WIFSTOPPED(status) => {
                    self.deeds.stops_at_points += 1;
                    self.sleeps(place);
                }
                Some(status) => self.died(place, status),
                None => {}
            }
            let now = Instant::now();
            let steps = self.numbers.get(STEPS + place);
            let process = &mut self.processes[place];
            match process.asleep_until {
                Some(until) if until > now => process.since = now,
                Some(_) => {
                    process.asleep_until = None;
                    process.since = now;
                    go_on(process.pid);
                }
                None if steps != process.steps => (process.steps, process.since) = (steps, now),
                None => {
                    let role = Role::at(place);
                    assert!(process.since.elapsed() < STUCK, "{role:?} does not get on");
                }
            }
        }
    }

    /// Does what waits for the writer lock for ever. One that is stopped may have it, or be stopped with it just then:
    /// after a while all go on.
    pub(super) fn wake_for<T>(&self, body: impl FnOnce() -> T) -> T {
        let is_done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let begin = Instant::now();
                while !is_done.load(Ordering::Relaxed) {
                    if begin.elapsed() > SLEEPERS_REST {
                        self.processes.iter().for_each(|process| go_on(process.pid));
                    }
                    std::thread::sleep(Duration::from_millis(1));
                }
            });
            let _done = SetAtEnd(&is_done);
            body()
        })
    }

    /// All end.
    pub(super) fn end(mut self) -> Deeds {
        self.numbers.add(STOP, 1);
        for (place, process) in self.processes.iter().enumerate() {
            let status = process.wait_awake();
            if self.may_kill && was_killed(status) {
                self.deeds.deaths_at_points += 1;
            } else {
                assert_eq!(status, 0, "{:?} failed", Role::at(place));
            }
        }
        self.deeds
    }

    fn any(&mut self) -> usize {
        self.draw.next(self.processes.len() as u32) as usize
    }

    fn fate(&mut self) -> Fate {
        let points = (KillPoint::all().len() + KillPoint::of_claims().len()) as u32;
        let (point, times) = (1 + self.draw.next(points), self.draw.next(300));
        match self.draw.next(4) {
            0 if self.may_kill => Fate::Dies(point, times),
            1 => Fate::Stops(point, times),
            _ => Fate::Nothing,
        }
    }

    fn replace(&mut self, place: usize, fate: Fate) {
        let seed = u64::from(self.draw.next(u32::MAX));
        self.processes[place] = Process::start(place, self.numbers, seed, fate);
    }

    fn kill(&mut self, place: usize) {
        kill(self.processes[place].pid);
        let status = wait(self.processes[place].pid);
        assert!(was_killed(status), "{:?} failed: {status}", Role::at(place));
        self.deeds.kills += 1;
    }

    fn ask_to_end(&mut self, place: usize) {
        self.numbers.put(ENDS + place, 1);
        let status = self.processes[place].wait_awake();
        assert_eq!(status, 0, "{:?} failed", Role::at(place));
        self.numbers.put(ENDS + place, 0);
        self.deeds.ends_by_word += 1;
    }

    fn stop(&mut self, place: usize) {
        let status = stop_unless_ended(self.processes[place].pid);
        if libc::WIFSTOPPED(status) {
            self.deeds.stops += 1;
            self.sleeps(place);
        } else {
            // It died at its point before.
            self.died(place, status);
        }
    }

    /// It was stopped: for a moment most often, sometimes for longer than anybody waits for the lock.
    fn sleeps(&mut self, place: usize) {
        let ms = match self.draw.next(16) {
            0 => 500 + self.draw.next(3000),
            _ => self.draw.next(100),
        };
        let until = Instant::now() + Duration::from_millis(ms.into());
        self.processes[place].asleep_until = Some(until);
    }

    fn died(&mut self, place: usize, status: i32) {
        let is_at_point = self.may_kill && was_killed(status);
        assert!(is_at_point, "{:?} failed: {status}", Role::at(place));
        self.deeds.deaths_at_points += 1;
        self.replace(place, Fate::Nothing);
    }
}

/// Says so when it goes, by a panic, too.
struct SetAtEnd<'a>(&'a AtomicBool);

impl Drop for SetAtEnd<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl Process {
    fn start(place: usize, numbers: SharedNumbers, seed: u64, fate: Fate) -> Self {
        let pid = spawn(move || {
            match fate {
                Fate::Nothing => {}
                Fate::Dies(point, times) => kill_point::arm(point, times),
                Fate::Stops(point, times) => kill_point::arm_to_stop(point, times),
            }
            let mut child = Child {
                role: Role::at(place),
                numbers,
                draw: Draw(seed),
            };
            while numbers.get(STOP) == 0 && numbers.get(ENDS + place) == 0 {
                child.step();
                numbers.add(STEPS + place, 1);
            }
        });
        Self {
            pid,
            asleep_until: None,
            steps: 0,
            since: Instant::now(),
        }
    }

    /// Waits for its end. It may be stopped, or be about to stop itself.
    fn wait_awake(&self) -> i32 {
        let begin = Instant::now();
        loop {
            if let Some(status) = ended(self.pid) {
                return status;
            }
            go_on(self.pid);
            if begin.elapsed() > STUCK {
                kill(self.pid);
                panic!("a process that was asked to end goes on");
            }
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
