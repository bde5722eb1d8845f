import { loadRemoteConfig } from '../../app/config';
import { taskIdProblem } from '../../core/domain/identifiers';
import { SystemClock } from '../../outbound/system/system-clock';
import { UsageError } from '../exit-code';
import type { OutputOptions } from '../output';
import type { RemoteOptions } from '../remote/remote-options';
import { RemoteService } from '../remote/remote-service';
import { ArchiveWriter } from './archive-writer';
import { Pace } from './pace';
import { PatientService } from './patient-service';
import { showProgress } from './progress';
import { TaskExport } from './task-export';

export interface ExportOptions extends RemoteOptions, OutputOptions {
  /** Undefined: the standard output. */
  readonly output?: string;
  readonly resume?: boolean;
  /** Calls in a second. */
  readonly rate: number;
}

const SECOND_MS = 1000;

export async function exportTask(taskId: string, options: ExportOptions): Promise<void> {
  const problem = taskIdProblem(taskId);
  if (problem) throw new UsageError(`TASK ${problem}`);
  const { output, resume = false, rate, url, timeout, json } = options;
  if (resume && output === undefined) throw new UsageError('--resume needs --output');
  const service = new RemoteService(loadRemoteConfig(url), timeout * SECOND_MS);
  const archive =
    output === undefined
      ? await ArchiveWriter.onStandardOutput(taskId)
      : await ArchiveWriter.inFile(output, taskId, resume);
  const progress = showProgress('export');
  try {
    const clock = new SystemClock();
    const patient = new PatientService(service, new Pace(rate, clock), clock);
    await new TaskExport(patient, archive, (done, total) => progress.set(done, total)).run(taskId);
  } catch (error) {
    archive.giveUp();
    throw error;
  } finally {
    progress.stop();
  }
  const end = await archive.finish();
  // The standard output is the archive itself.
  const say = output === undefined ? process.stderr : process.stdout;
  const text = `exported ${end.tasks} tasks and ${end.attachments} attachments`;
  say.write(`${json ? JSON.stringify(end) : text}\n`);
}
