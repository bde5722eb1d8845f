import { loadConfig } from '../../../src/app/config';
import { descriptorShortage } from '../../../src/app/descriptor-shortage';

describe('a shortage of file descriptors', () => {
  const settings = { DATABASE_URL: 'postgres://db/x', POSTGRES_POOL_SIZE: '37', MAX_IN_FLIGHT: '100' };

  it('is said if the limit is below what the settings need, with both numbers', () => {
    expect(descriptorShortage(loadConfig(settings), 214)).toMatch(
      /^this process may open 214 .* \(ulimit -n\), but needs 215 for MAX_IN_FLIGHT and POSTGRES_POOL_SIZE: [^\n]+$/,
    );
    expect(descriptorShortage(loadConfig({ ...settings, DATABASE_URL: 'memory' }), 174)).toMatch(
      /needs 175 for MAX_IN_FLIGHT:/,
    );
  });

  it('is not said if the limit suffices', () => {
    expect(descriptorShortage(loadConfig(settings), 215)).toBeUndefined();
    expect(descriptorShortage(loadConfig({ ...settings, DATABASE_URL: 'memory' }), 175)).toBeUndefined();
  });
});
