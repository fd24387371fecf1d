// The programs behind the page, running for as long as they are looked at.
import { spawn } from 'node:child_process';
import fs from 'node:fs';

// Long enough for the slowest machine: only a failure waits so long.
const PATIENCE = 120_000;
/** Seconds after which they end, whatever becomes of us. */
const LONGEST = '1800';

/** Starts the example service; `arguments_` follow the addresses. Resolves when the agent answers. */
export function start(program, arguments_ = [], environment = {}) {
  const all = ['--listen', '127.0.0.1:0', '--service', '127.0.0.1:0', '--duration', LONGEST, ...arguments_];
  return running(program, all, environment, /http:\/\/127\.0\.0\.1:\d+(?=\/debug\/heap)/);
}

/** Starts a program of ten thousand call sites in two hundred maps. */
export const startLarge = (program) => running(program, ['127.0.0.1:0', LONGEST], {}, /http:\/\/127\.0\.0\.1:\d+(?=\/debug\/ )/);

async function running(program, arguments_, environment, pattern) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEAPLENS_')));
  const child = spawn(program, arguments_, { env: { ...clean, ...environment }, stdio: ['ignore', 'pipe', 'pipe'] });
  const stop = () => child.kill('SIGKILL');
  process.on('exit', stop);
  let said = '';
  const url = new Promise((resolve, reject) => {
    const hear = (data) => {
      said += data;
      const found = said.match(pattern);
      if (found) resolve(found[0]);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    child.on('error', reject);
    child.on('exit', (code) => reject(new Error(`${program} ended with ${code}:\n${said}`)));
    setTimeout(() => reject(new Error(`${program} did not start:\n${said}`)), PATIENCE).unref();
  });
  return { url: await url, pid: child.pid, stop };
}

/** Seconds of CPU that the agent's threads have taken. */
export function agentSeconds(pid) {
  let nanoseconds = 0;
  for (const thread of fs.readdirSync(`/proc/${pid}/task`)) {
    const name = fs.readFileSync(`/proc/${pid}/task/${thread}/comm`, 'utf8');
    if (name.startsWith('heaplens')) nanoseconds += Number(fs.readFileSync(`/proc/${pid}/task/${thread}/schedstat`, 'utf8').split(' ')[0]);
  }
  return nanoseconds / 1e9;
}
