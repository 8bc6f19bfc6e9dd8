use std::time::Instant;

use anyhow::Context;

use crate::project::Project;

/// What was measured, beside its bar.
#[derive(Debug, Default)]
pub struct Figures(Vec<String>);

impl Figures {
    /// Does something, and notes how many seconds it took.
    pub fn timed<T>(
        &mut self,
        what: &str,
        most_seconds: Option<f64>,
        work: impl FnOnce() -> anyhow::Result<T>,
    ) -> anyhow::Result<T> {
        let began = Instant::now();
        let done = work()?;
        self.note(what, began.elapsed().as_secs_f64(), "s", most_seconds);
        Ok(done)
    }

    /// Notes a figure, and says it at once.
    pub fn note(&mut self, what: &str, value: f64, unit: &str, most: Option<f64>) {
        let bar = match most {
            Some(most) if value <= most => format!(" (at most {most}: pass)"),
            Some(most) => format!(" (at most {most}: SHORT)"),
            None => String::new(),
        };
        let line = format!("{what}: {value:.1} {unit}{bar}");
        eprintln!("==> {line}");
        self.0.push(line);
    }

    /// Notes what each of our images adds to the one it is built on.
    pub fn sizes(&mut self, project: &Project) -> anyhow::Result<()> {
        const MOST: f64 = 60.0;
        let base = megabytes(project, project.setting("RUNTIME_IMAGE")?)?;
        self.note("the image that ours are built on", base, "MB", None);
        for image in project.own_images()? {
            self.note(&format!("{image} adds"), megabytes(project, &image)? - base, "MB", Some(MOST));
        }
        Ok(())
    }

    /// All of them once more.
    pub fn print(&self) {
        println!("\nMillrace in containers:\n\n  {}", self.0.join("\n  "));
    }
}

fn megabytes(project: &Project, image: &str) -> anyhow::Result<f64> {
    let bytes = project.docker(&["image", "inspect", "--format", "{{.Size}}", image])?;
    let bytes: f64 = bytes.trim().parse().with_context(|| format!("the size of {image} is `{bytes}`"))?;
    Ok(bytes / 1e6)
}
