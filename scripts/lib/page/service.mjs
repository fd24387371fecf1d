// The example service, running for as long as it is looked at.
import { spawn } from 'node:child_process';
import fs from 'node:fs';

// Long enough for the slowest machine: only a failure waits so long.
const PATIENCE = 120_000;

/** Starts the service; `arguments_` follow the addresses. Resolves when the agent answers. */
export async function start(program, arguments_ = [], environment = {}) {
  const clean = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEAPLENS_')));
  const child = spawn(program, ['--listen', '127.0.0.1:0', '--service', '127.0.0.1:0', '--duration', '1800', ...arguments_], {
    env: { ...clean, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  child.stdout.on('data', (data) => (said += data));
  child.stderr.on('data', (data) => (said += data));
  const end = Date.now() + PATIENCE;
  while (Date.now() < end && child.exitCode === null) {
    const url = said.match(/http:\/\/127\.0\.0\.1:\d+(?=\/debug\/heap)/)?.[0];
    const service = said.match(/http:\/\/127\.0\.0\.1:\d+(?=\/stats)/)?.[0];
    if (url && service) return { url, service, pid: child.pid, stop: () => child.kill('SIGKILL') };
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  child.kill('SIGKILL');
  throw new Error(`the service did not start:\n${said}`);
}

/** Seconds of CPU that the agent's threads have taken. */
export function agentSeconds(pid) {
  let ticks = 0;
  for (const thread of fs.readdirSync(`/proc/${pid}/task`)) {
    const stat = fs.readFileSync(`/proc/${pid}/task/${thread}/stat`, 'utf8');
    const name = stat.slice(stat.indexOf('(') + 1, stat.lastIndexOf(')'));
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (name.startsWith('heaplens')) ticks += Number(fields[11]) + Number(fields[12]);
  }
  return ticks / 100;
}
