import { withoutStartUpParameters } from '../../../../src/outbound/postgres/start-up-parameters';

const settingsOf = (options: string) =>
  withoutStartUpParameters(`postgres://db/x?options=${encodeURIComponent(options)}`).settings;

describe('the parameters of a URL of PostgreSQL', () => {
  it('stay as they are if the client understands them all', () => {
    const url = 'postgres://u:p%40@db:1/x?sslmode=require&application_name=a%20b&host=/run/pg';
    expect(withoutStartUpParameters(url)).toEqual({ connectionString: url, settings: {}, ignored: [] });
  });

  it('are taken out if they are settings, or mean nothing', () => {
    const url = 'postgres://u:p%40@db:1/x?sslmode=require&options=-c+jit%3Doff&lock_timeout=1&binary=true';
    expect(withoutStartUpParameters(url)).toEqual({
      connectionString: 'postgres://u:p%40@db:1/x?sslmode=require',
      settings: { jit: 'off' },
      ignored: ['lock_timeout', 'binary'],
    });
  });

  it.each([
    ['-c search_path=a,b -cjit=off --work-mem=8MB', { search_path: 'a,b', jit: 'off', work_mem: '8MB' }],
    ['  -c  datestyle=ISO,\\ DMY', { datestyle: 'ISO, DMY' }],
    ['-c a.b=c=d\\\\', { 'a.b': 'c=d\\' }],
    ['', {}],
  ])('options=%s is read as the server reads its command line', (options, settings) => {
    expect(settingsOf(options)).toEqual(settings);
  });

  it.each(['-B 1', '-c', 'jit=off', '-c jit', '-c jit=off;x -f s', '--=x', '-c -c'])(
    'options=%s is refused',
    (options) => {
      expect(() => settingsOf(options)).toThrow(/^may have options only such as -c name=value$/);
    },
  );
});
