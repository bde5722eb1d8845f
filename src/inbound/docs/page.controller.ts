import { Controller, Get, NotFoundException, Param, Req, Res } from '@nestjs/common';
import type { FastifyReply, FastifyRequest } from 'fastify';
import { PageFiles } from './page-files';
import { sendPublication } from './publication';

/**
 * The page loads its own files and nothing else, sends nothing to another origin, and stands in no frame. A text can
 * never become markup or a script (Trusted Types), not even by a mistake in the page.
 */
const PAGE_HEADERS = {
  'content-security-policy': [
    `default-src 'none'`,
    `script-src 'self'`,
    `style-src 'self'`,
    `img-src 'self'`,
    `connect-src 'self'`,
    `base-uri 'none'`,
    `form-action 'none'`,
    `frame-ancestors 'none'`,
    `require-trusted-types-for 'script'`,
    `trusted-types 'none'`,
  ].join('; '),
  'cross-origin-opener-policy': 'same-origin',
  // Without a referrer, browsers would send `Origin: null` with some calls, and the service refuses that.
  'referrer-policy': 'same-origin',
};

/** A page that describes every method and calls it. It is the same for every caller and holds no data. */
@Controller()
export class PageController {
  constructor(private readonly files: PageFiles) {}

  @Get(['', 'docs'])
  async page(@Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.send('page.html', request, reply);
  }

  @Get('docs/:file')
  async file(@Param('file') name: string, @Req() request: FastifyRequest, @Res() reply: FastifyReply): Promise<void> {
    await this.send(name, request, reply);
  }

  private async send(name: string, request: FastifyRequest, reply: FastifyReply): Promise<void> {
    const file = await this.files.get(name);
    if (!file) throw new NotFoundException(`Cannot GET ${request.url}`);
    void reply.headers(PAGE_HEADERS);
    sendPublication(file, file.mediaType, request, reply);
  }
}
