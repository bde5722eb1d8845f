import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ServerProcess, type ServerProgram } from './server-process';

/** A server of the test's own, on a port and in a folder of its own. It dies with the test's process. */
export abstract class PrivateServer {
  protected readonly folder: string;
  private process?: ServerProcess;

  protected constructor(
    private readonly scheme: string,
    readonly port: number,
  ) {
    this.folder = mkdtempSync(join(tmpdir(), `dossier-${scheme}-`));
  }

  protected abstract program(): ServerProgram;

  get url(): string {
    return `${this.scheme}://127.0.0.1:${this.port}`;
  }

  get pid(): number {
    return this.process?.pid as number;
  }

  get isRunning(): boolean {
    return this.process?.hasEnded === false;
  }

  async start(): Promise<void> {
    try {
      this.process = await ServerProcess.start(this.program());
    } catch (error) {
      await this.stop();
      throw error;
    }
  }

  /** Ends it in order and removes its folder. */
  async stop(): Promise<void> {
    this.resume();
    await this.process?.end('SIGTERM');
    rmSync(this.folder, { recursive: true, force: true });
  }

  /** Ends it as a crash would; `restart` brings it back. */
  async kill(): Promise<void> {
    await this.process?.end('SIGKILL');
  }

  /** Starts it again on the same port and folder. */
  restart(): Promise<void> {
    return this.start();
  }

  /** It keeps its connections, and replies to nothing that is sent from now on until `resume`. */
  pause(): void {
    this.process?.pause();
  }

  resume(): void {
    this.process?.resume();
  }
}
