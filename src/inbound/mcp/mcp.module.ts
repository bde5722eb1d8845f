import { Module, type DynamicModule } from '@nestjs/common';
import { JsonRpcHttpStrategy } from '../http/json-rpc-http.strategy';
import { CallDurations } from '../json-rpc/call-durations';
import { McpEndpoint } from './mcp-endpoint';
import type { McpOptions } from './mcp-options';

/** The Model Context Protocol. `http` is the module that provides the HTTP strategy. */
@Module({})
export class McpModule {
  static register(http: DynamicModule, options: McpOptions): DynamicModule {
    const endpoint = {
      provide: McpEndpoint,
      useFactory: (overHttp: JsonRpcHttpStrategy, durations: CallDurations) =>
        new McpEndpoint(overHttp, durations, options),
      inject: [JsonRpcHttpStrategy, CallDurations],
    };
    return { module: McpModule, imports: [http], providers: [endpoint] };
  }
}
